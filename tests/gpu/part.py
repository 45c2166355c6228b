"""A part of the GPU check: named measurements in a time box, and the rows of the table that they give."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch

Verdict = Literal["ok", "FAILED", "met", "missed", "measured", "skipped", "not reached"]
BAD: tuple[Verdict, ...] = ("FAILED", "not reached")
"""Verdicts that end the check with a status other than 0. A missed goal of speed is reported and is no failure."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        name: What was checked or measured.
        value: The figure with its unit, such as "2,830 images/s".
        verdict: `ok` or `FAILED` for a check, `met` or `missed` for a goal of speed, `measured` for a figure without a
            goal, `skipped` where something cannot be had, `not reached` where the time box ended first.
        goal: What the value is held against, or "".
        note: The reason of a failure, or how the figure was made.
        data: Plain numbers behind the value, for the JSON file.
    """

    name: str
    value: str = ""
    verdict: Verdict = "measured"
    goal: str = ""
    note: str = ""
    data: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the row as plain values."""
        return {name: value for name, value in asdict(self).items() if value not in ("", None)}

    @classmethod
    def check(cls, name: str, holds: bool, value: str = "", goal: str = "", note: str = "", **data: Any) -> Row:
        """Return the row of a check, which fails the whole run if it does not hold."""
        return cls(name, value, "ok" if holds else "FAILED", goal, note, data or None)

    @classmethod
    def speed(cls, name: str, reached: bool, value: str, goal: str, note: str = "", **data: Any) -> Row:
        """Return the row of a goal of speed or memory."""
        return cls(name, value, "met" if reached else "missed", goal, note, data or None)


@dataclass
class Setting:
    """Where and how large a part runs.

    Attributes:
        device: The card, or the CPU in a rehearsal.
        small: Whether sizes are cut down, so that a part takes seconds on a CPU.
        cores: Number of CPU cores to use.
        folder: An empty folder for files, which is removed afterwards.
        end: The time on `clock` at which the part's box ends.
        clock: Seconds from any start.
    """

    device: torch.device
    small: bool
    cores: int
    folder: Path
    end: float
    clock: Callable[[], float] = time.monotonic

    @property
    def left(self) -> float:
        """Seconds until the part's box ends, at least 0."""
        return max(0.0, self.end - self.clock())

    @property
    def on_card(self) -> bool:
        """Whether the device is a card, and not the CPU of a rehearsal."""
        return self.device.type == "cuda"

    def wait(self) -> None:
        """Wait until the device has done everything that was asked of it."""
        if self.on_card:
            torch.cuda.synchronize(self.device)


Measurement = Callable[[Setting], Iterable[Row]]


@dataclass(frozen=True)
class Part:
    """A part of the check.

    Attributes:
        name: Its name on the command line.
        title: What it is about.
        seconds: Its time box on one card.
        measurements: Functions by name, in the order in which they run. Each yields rows as it has them.
        missing: Function that returns why the part cannot run here, such as a package that is missing, or "".
    """

    name: str
    title: str
    seconds: float
    measurements: Mapping[str, Measurement]
    missing: Callable[[], str] = lambda: ""


def run_part(part: Part, setting: Setting, put: Callable[[Row], None], done: Callable[[str, float], None]) -> None:
    """Run the measurements of a part while its box lasts.

    A measurement that raises gives a row that FAILED with the error, and the next one runs.

    Args:
        part: The part.
        setting: Where and how large it runs.
        put: Function that takes every row at once.
        done: Function that takes the name of a measurement when it has ended, and its seconds.
    """
    reason = part.missing()
    if reason:
        put(Row(part.title, verdict="skipped", note=reason))
        for name in part.measurements:
            done(name, 0.0)
        return
    for name, measurement in part.measurements.items():
        if setting.left <= 0:
            continue  # the parent names what is not done
        begin = setting.clock()
        try:
            for row in measurement(setting):
                put(row)
        except Exception as error:  # noqa: BLE001 - any error of a measurement is a finding, and the rest must run
            traceback.print_exc()
            text = str(error).strip().splitlines() or [""]
            put(Row(name, verdict="FAILED", note=f"{type(error).__name__}: {text[0]}"))
        done(name, setting.clock() - begin)
