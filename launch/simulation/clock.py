"""A search in virtual time: the production loop, searcher and scheduler over recorded curves."""

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
    """What the clock drives. `SimulatedStudy` is the production one; others stand for tools that we compare with."""

    def following(self) -> Next:
        """The next trial, or wait, or over."""
        ...

    def params(self, trial: int) -> Mapping[str, Any]:
        """Parameters of a trial."""
        ...

    def whole(self, trial: int, rows: Rows) -> Rows:
        """Return every epoch of a training, given those in which it predicts."""
        ...

    def start(self, trial: int) -> int:
        """A worker has it. Gives the epoch to go on from: 0, or that of its checkpoint."""
        ...

    def report(self, trial: int, row: Mapping[str, Any]) -> Action:
        """An epoch has ended."""
        ...

    def restart(self, running: Collection[int]) -> None:
        """It dies, and a new one takes over; workers go on with the trials that run."""
        ...

    def end(self, trial: int, how: str, epoch: int) -> None:
        """A worker let go of it: "finished", "stopped", "paused" or "failed", at an epoch."""
        ...


@dataclass(frozen=True)
class Faults:
    """What goes wrong.

    Attributes:
        crash_rate: Probability that an epoch ends in the death of its worker.
        lost_rate: Probability, for each epoch, that a node of eight workers is lost, with all that runs there.
        checkpoint_every: Epochs between checkpoints: what a lost trial goes on from.
        most: Times that a trial is tried again before it has failed.
        restart_rate: Probability, for each epoch, that the driver dies after it and another one takes over.
    """

    crash_rate: float = 0.0
    lost_rate: float = 0.0
    checkpoint_every: int = 5
    most: int = 100
    restart_rate: float = 0.0


@dataclass(frozen=True)
class Tick:
    """What happened: a trial's epoch, or its end.

    Attributes:
        time: Virtual seconds since the start.
        epochs: Trained so far by all, those that were lost included.
        trial: Its number.
        values: Its objectives without the luck of a seed.
        finished: Whether this was its last epoch.
    """

    time: float
    epochs: int
    trial: int
    values: tuple[float, ...]
    finished: bool


NODE = 8  # workers that a lost node takes with it


class Clock:
    """Runs trials on virtual workers.

    Args:
        driver: What decides.
        source: What trials report.
        workers: How many trials run at once.
        seed: Of what trials report, of the jitter of the seconds, and of faults.
        faults: What goes wrong.
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
        self._busy: list[tuple[float, int, int, int, int]] = []  # time, order, worker, trial, epoch that ends then
        self._taken: dict[int, Drawn] = {}
        self._lost: set[int] = set()  # orders of what a lost node will never end
        self._tries: dict[int, int] = {}
        self._again: list[int] = []
        self._order = 0
        self._over = False

    def run(self) -> Iterator[Tick]:
        """Goes on until the driver has no more trials."""
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
        row = {**drawn.rows[epoch - 1], "epoch": epoch, "seed": 0, "done": last}
        action = self.driver.report(trial, row)
        if last or action != "continue":
            how = "finished" if last else {"stop": "stopped", "pause": "paused"}[action]
            self.driver.end(trial, how, epoch)
            self._free.append(worker)
        else:
            self._begin(worker, trial, epoch + 1)
        return Tick(self.now, self.epochs, trial, drawn.values, last)

    def _fill(self) -> None:
        """Gives work to the free workers."""
        while self._free and not self._over:
            number: Next = self._again.pop() if self._again else self.driver.following()
            if number == OVER:
                self._over = not self._busy
                return
            if not isinstance(number, int):
                return
            if number not in self._taken:
                rng = np.random.default_rng([self._seed, number, 11])
                drawn = self._source.draw(self.driver.params(number), rng)
                self._taken[number] = replace(drawn, rows=self.driver.whole(number, drawn.rows))
            self._begin(self._free.pop(), number, self.driver.start(number) + 1)

    def _begin(self, worker: int, trial: int, epoch: int) -> None:
        rows = self._taken[trial].rows
        jitter = float(np.exp(0.1 * self._random.standard_normal()))
        self._order += 1
        done = self.now + jitter * float(rows[epoch - 1]["seconds"])
        heapq.heappush(self._busy, (done, self._order, worker, trial, epoch))

    def _fails(self, worker: int, trial: int) -> bool:
        """Whether this epoch ended in a fault instead; then its trials go on from their checkpoints."""
        faults = self._faults
        if faults.lost_rate and self._random.random() < faults.lost_rate:
            node = worker // NODE
            for _, order, other, lost, _ in self._busy:
                if other // NODE == node and order not in self._lost:
                    self._lost.add(order)
                    self._lose(other, lost)
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
