"""Pace of a study: how many trials run at once, and how long an epoch takes, from the events of its log."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import median

from groupdir.study.events import Event

RELEASES = ("paused", "finished", "stopped", "failed")
"""Kinds of events after which no worker trains the trial."""


@dataclass
class Pace:
    """Pace of a study.

    An epoch lasts from the arrival of the epoch before it in the event log to its own arrival, with its validation and
    its checkpoint. The first epoch of a trial on a worker lasts as long as the worker reports. The rest of the time
    since the start of the trial is that of the start itself.

    Attributes:
        workers: Largest number of trials that ran at once. It is measured again after each start of a driver.
        epochs: Number of epochs, by whether their stage predicts.
        lasted: Seconds of these epochs, by whether their stage predicts.
        epochs_of_driver: Number of epochs since the last start of a driver.
        trained: The part of these seconds that the workers report.
    """

    workers: int = 0
    epochs: dict[bool, int] = field(default_factory=lambda: {False: 0, True: 0})
    lasted: dict[bool, float] = field(default_factory=lambda: {False: 0.0, True: 0.0})
    epochs_of_driver: int = 0
    trained: float = 0.0
    _since: dict[int, float] = field(default_factory=dict, repr=False)
    _starting: set[int] = field(default_factory=set, repr=False)
    _starts: list[float] = field(default_factory=list, repr=False)
    _new_driver: bool = field(default=True, repr=False)

    def add(self, event: Event) -> None:
        """Apply an event."""
        if event.kind == "driver":
            self._since.clear()
            self._starting.clear()
            self._starts.clear()
            self._new_driver, self.epochs_of_driver = True, 0
        elif event.trial is None:
            return
        elif event.kind == "started":
            self._since[event.trial] = event.time
            self._starting.add(event.trial)
            self.workers = max(0 if self._new_driver else self.workers, len(self._since))
            self._new_driver = False
        elif event.kind == "epoch":
            self._add_epoch(event.trial, event)
        elif event.kind in RELEASES:
            self._since.pop(event.trial, None)
            self._starting.discard(event.trial)

    def _add_epoch(self, trial: int, event: Event) -> None:
        seconds, predicts = float(event.payload["seconds"]), bool(event.payload["predicts"])
        lasted = seconds
        if trial in self._since:
            gap = event.time - self._since[trial]
            if trial in self._starting:
                self._starts.append(max(0.0, gap - seconds))
                self._starting.discard(trial)
            else:
                lasted = gap
            self._since[trial] = event.time
        self.epochs[predicts] += 1
        self.epochs_of_driver += 1
        self.lasted[predicts] += lasted
        self.trained += seconds

    def since(self, trial: int) -> float | None:
        """Return the start of a trial's present epoch in unix seconds, or None if no worker trains the trial."""
        return self._since.get(trial)

    @property
    def running(self) -> int:
        """Number of trials that workers train."""
        return len(self._since)

    @property
    def start(self) -> float:
        """Median seconds of the start of a trial on a worker.

        The first start of each worker takes longer, because it loads the libraries, and is left out.
        """
        later = self._starts[self.workers :]
        return median(later) if later else 0.0

    @property
    def first_start(self) -> float:
        """Median seconds of the first start of a worker, which each phase of a study repeats."""
        first = self._starts[: self.workers]
        return median(first) if first else 0.0

    def seconds(self, predicts: bool) -> float:
        """Return the mean seconds of an epoch, NaN before the first epoch.

        Args:
            predicts: Whether the stage of the epoch predicts. The mean of all epochs stands in for a kind of stage that
                no trial has reached.
        """
        if self.epochs[predicts]:
            return self.lasted[predicts] / self.epochs[predicts]
        count = sum(self.epochs.values())
        return sum(self.lasted.values()) / count if count else math.nan

    @property
    def overhead(self) -> float:
        """Ratio of the seconds that an epoch lasts to those that its worker reports."""
        return sum(self.lasted.values()) / self.trained if self.trained else 1.0
