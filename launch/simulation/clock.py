"""Simulated clock that runs a search in virtual time.

The study loop, sampler and scheduler are the production ones; the trials report recorded curves.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from launch.control.study_loop import OVER, Next
from launch.schedulers.base import Action
from launch.simulation.surrogate import Drawn, Rows, Source


class Driver(Protocol):
    """Search that the clock runs.

    `SimulatedStudy` is the production search. Other classes stand for the tools that we compare with.
    """

    def following(self) -> Next:
        """Return the number of the next trial, or that the worker should wait, or that the search is over."""
        ...

    def params(self, trial: int) -> Mapping[str, Any]:
        """Return the parameters of a trial."""
        ...

    def seed(self, trial: int) -> int:
        """Return the training seed of a trial."""
        ...

    def whole(self, trial: int, rows: Rows) -> Rows:
        """Return the rows of all epochs of a training from the rows of the epochs that predict."""
        ...

    def start(self, trial: int) -> int:
        """Start or resume a trial on a worker and return the epoch of its checkpoint, 0 without one."""
        ...

    def report(self, trial: int, row: Mapping[str, Any]) -> Action:
        """Report the row of an epoch and return the decision about the trial."""
        ...

    def restart(self, running: Collection[int]) -> None:
        """Replace the driver by a new one, while workers continue the running trials."""
        ...

    def end(self, trial: int, how: str, epoch: int) -> None:
        """End a trial at an epoch as "finished", "stopped", "paused" or "failed"."""
        ...


@dataclass(frozen=True)
class Faults:
    """Faults to inject.

    Attributes:
        crash_rate: Probability per epoch that the worker of the trial dies.
        lost_rate: Probability per epoch that a node of eight workers is lost with all of its trials.
        checkpoint_every: Epochs between checkpoints. A lost trial resumes from its last checkpoint.
        most: Most retries of a trial before it counts as failed.
        restart_rate: Probability per epoch that the driver dies after the epoch and a new driver replaces it.
    """

    crash_rate: float = 0.0
    lost_rate: float = 0.0
    checkpoint_every: int = 5
    most: int = 100
    restart_rate: float = 0.0


@dataclass(frozen=True)
class Tick:
    """End of one epoch of a trial.

    Attributes:
        time: Virtual seconds since the start.
        epochs: Epochs trained so far by all trials, including lost epochs.
        trial: Number of the trial.
        values: Objectives of the trial without the noise of its seed.
        reported: Objectives of the trial as it reports them at its end.
        finished: True for the last epoch of the trial.
    """

    time: float
    epochs: int
    trial: int
    values: tuple[float, ...]
    reported: tuple[float, ...]
    finished: bool


NODE = 8  # workers of a node


class Clock:
    """Clock that runs trials on virtual workers.

    Args:
        driver: Search that suggests trials and decides about them.
        source: Source of the simulated trainings.
        workers: Number of trials that run at once.
        seed: Seed of the jitter of the seconds and of the faults. With the seed of a trial, it decides which simulated
            training the trial gets.
        faults: Faults to inject, None for none.
    """

    def __init__(
        self, driver: Driver, source: Source, workers: int, seed: int = 0, faults: Faults | None = None
    ) -> None:
        self.driver = driver
        self.now = 0.0
        self.epochs = 0
        self._source = source
        self._free = list(range(workers))[::-1]
        self._faults = faults or Faults()
        self._random = np.random.default_rng([seed, 7])
        self._seed = seed
        self._busy: list[tuple[float, int, int, int, int]] = []  # end time, order, worker, trial, epoch
        self._taken: dict[int, Drawn] = {}
        self._used: set[Any] = set()
        self._lost: set[int] = set()  # orders of epochs that a lost node does not complete
        self._tries: dict[int, int] = {}
        self._again: list[int] = []
        self._order = 0
        self._over = False

    def run(self) -> Iterator[Tick]:
        """Run the search until the driver has no more trials, and yield the end of each epoch."""
        self._fill()
        while self._busy:
            self.now, order, worker, trial, epoch = heapq.heappop(self._busy)
            if order in self._lost:
                self._lost.discard(order)
                continue
            self.epochs += 1
            if self._fails(worker, trial):
                self._fill()
                continue
            yield self._ended_epoch(worker, trial, epoch)
            if self._faults.restart_rate and self._random.random() < self._faults.restart_rate:
                self.driver.restart([trial for *_, trial, _ in self._busy] + self._again)
            self._fill()

    def _ended_epoch(self, worker: int, trial: int, epoch: int) -> Tick:
        drawn = self._taken[trial]
        last = epoch == len(drawn.rows)
        row = {**drawn.rows[epoch - 1], "epoch": epoch, "seed": self.driver.seed(trial), "done": last}
        action = self.driver.report(trial, row)
        if last or action != "continue":
            how = "finished" if last else {"stop": "stopped", "pause": "paused"}[action]
            self.driver.end(trial, how, epoch)
            self._free.append(worker)
        else:
            self._begin(worker, trial, epoch + 1)
        return Tick(self.now, self.epochs, trial, drawn.values, drawn.reported, last)

    def _fill(self) -> None:
        """Start trials on the free workers."""
        while self._free and not self._over:
            number: Next = self._again.pop() if self._again else self.driver.following()
            if number == OVER:
                self._over = not self._busy
                return
            if not isinstance(number, int):
                return
            if number not in self._taken:
                rng = np.random.default_rng([self._seed, self.driver.seed(number), 11])
                drawn = self._source.draw(self.driver.params(number), rng, self._used)
                self._used.add(drawn.recorded)
                self._taken[number] = replace(drawn, rows=self.driver.whole(number, drawn.rows))
            self._begin(self._free.pop(), number, self.driver.start(number) + 1)

    def _begin(self, worker: int, trial: int, epoch: int) -> None:
        rows = self._taken[trial].rows
        jitter = float(np.exp(0.1 * self._random.standard_normal()))
        self._order += 1
        done = self.now + jitter * float(rows[epoch - 1]["seconds"])
        heapq.heappush(self._busy, (done, self._order, worker, trial, epoch))

    def _fails(self, worker: int, trial: int) -> bool:
        """Return True if a fault hit this epoch. The trials of lost workers are queued for a retry."""
        faults = self._faults
        if faults.lost_rate and self._random.random() < faults.lost_rate:
            node = worker // NODE
            for _, order, other_worker, other_trial, _ in self._busy:
                if other_worker // NODE == node and order not in self._lost:
                    self._lost.add(order)
                    self._lose(other_worker, other_trial)
            self._lose(worker, trial)
            return True
        if faults.crash_rate and self._random.random() < faults.crash_rate:
            self._lose(worker, trial)
            return True
        return False

    def _lose(self, worker: int, trial: int) -> None:
        self._free.append(worker)
        self._tries[trial] = self._tries.get(trial, 0) + 1
        if self._tries[trial] > self._faults.most:
            self.driver.end(trial, "failed", 0)
        else:
            self._again.append(trial)
