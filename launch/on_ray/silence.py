"""Silent trials: running trials whose worker has reported nothing for much longer than before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from launch.screen.progress import clock

LEAST = 300.0
"""Seconds of silence before the first message, at least: a trial may wait for a first stage that another one trains."""

TIMES = 10.0
"""A trial is silent if it has reported nothing for this many times its longest epoch."""


@dataclass
class _Report:
    """Latest report of a trial.

    Attributes:
        when: Time of the report, on the clock of the driver.
        longest: Longest time between two reports of the trial, in seconds.
        place: Host and process of the worker, or an empty text before the first epoch.
        silent_from: Seconds of silence from which the next message is due.
    """

    when: float
    longest: float = 0.0
    place: str = ""
    silent_from: float = LEAST


class Silence:
    """Clock for the reports of running trials. A worker that is stopped or hangs is reported by nobody else.

    Args:
        now: Clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._reports: dict[int, _Report] = {}

    def heard(self, trial: int, result: Mapping[str, Any] | None = None) -> None:
        """Note that a trial has started, or has reported an epoch.

        Args:
            trial: Number of the trial.
            result: The reported row, with Ray's `hostname` and `pid`; None for a start.
        """
        now = self._now()
        report = self._reports.setdefault(trial, _Report(now))
        if result is not None:
            report.longest = max(report.longest, now - report.when)
            report.place = f" on {result.get('hostname', 'its node')} (process {result.get('pid', 'unknown')})"
        report.when, report.silent_from = now, max(LEAST, TIMES * report.longest)

    def ended(self, trial: int) -> None:
        """Note that a trial runs no more."""
        self._reports.pop(trial, None)

    def messages(self) -> list[str]:
        """Return a line for each trial whose silence has become long, and again each time that its silence doubles."""
        now, lines = self._now(), []
        for trial, report in self._reports.items():
            silent = now - report.when
            if silent < report.silent_from:
                continue
            report.silent_from = 2 * silent
            before = f", and its longest epoch took {clock(report.longest)}" if report.longest else ""
            lines.append(
                f"trial {trial}{report.place} has reported nothing for {clock(silent)}{before}: its process may be "
                "stopped (`kill -CONT` continues it), or its node overloaded; if the process is ended (`kill -KILL`), "
                "the trial continues from its checkpoint"
            )
        return lines
