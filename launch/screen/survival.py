"""Survival of a search's trials: the share that passes each rung, and the epochs that are therefore still expected."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence

from groupdir.config.space import StudyConfig
from groupdir.study.state import StudyState, TrialState
from launch.schedulers import make_scheduler

GOLDEN = (math.sqrt(5) - 1) / 2
"""Step between trials: its multiples, modulo 1, are spread evenly, so that long and short trials alternate."""


PRIOR = 3.0
"""Number of arrivals at a rung that the reduction factor counts as."""

RENEWED = 1.25
"""Trials that are promoted from a rung, as a multiple of the share that the reduction factor gives.

A trial that was promoted early may be overtaken by later ones, which are promoted too. In simulated searches of 20 and
60 trials (six each, factor 3) the multiple was 1.0 to 1.4.
"""


class Survival:
    """Survival of the trials of a search.

    A rung lets its first members pass without a comparison. The share of the later ones that pass is that of the trials
    that have arrived there; the reduction factor of the scheduler decides while few have. If trials pause, the
    reduction factor alone decides, because a paused trial may still be promoted.

    Args:
        config: Configuration of the study.
        state: State of the study.
        longest: Epochs of the stages that predict, in the longest trial.

    Attributes:
        rungs: Epochs of the rungs below the end of the longest trial.
        passing: Share of the trials to come that pass each rung.
        last: Epoch at which the scheduler stops every trial, or None.
    """

    def __init__(self, config: StudyConfig, state: StudyState, longest: int) -> None:
        search = config.search
        self.last = search.scheduler.last_epoch
        self.rungs = list(make_scheduler(search).rung_epochs(min(longest, self.last or longest)))
        self._trials = state.of("search")
        self._to_come = max(0, search.trials - len(self._trials))
        self._pauses = search.scheduler.pauses
        self.passing: list[float] = []
        factor, to_come, lower = search.scheduler.one_in, float(self._to_come), 0
        for rung in self.rungs:
            to_come += sum(trial.status == "running" and lower <= trial.fidelity < rung for trial in self._trials)
            share = (
                RENEWED / factor if self._pauses else self._share(rung, factor, search.scheduler.uncompared, to_come)
            )
            self.passing.append(min(1.0, share))
            to_come, lower = to_come * share, rung

    def _share(self, rung: int, factor: float, uncompared: int, to_come: float) -> float:
        """Return the share of the trials to come that pass a rung.

        Args:
            rung: Epoch of the rung.
            factor: Reduction factor.
            uncompared: Number of members that pass the rung without a comparison.
            to_come: Expected number of trials that will arrive at the rung.
        """
        arrived = [(row["seq"], trial) for trial in self._trials if (row := trial.at_fidelity(rung)) is not None]
        compared = [trial for _, trial in sorted(arrived, key=lambda pair: pair[0])[uncompared:]]
        passed = sum(not _ends_at(trial, rung) for trial in compared)
        share = (passed + PRIOR / factor) / (len(compared) + PRIOR)
        free = min(to_come, max(0, uncompared - len(arrived)))
        return (free + share * (to_come - free)) / to_come if to_come else share

    def expected(self, fidelity: int, total: int) -> float:
        """Return how many epochs a running trial is expected to train, up to its next pause if trials pause.

        Args:
            fidelity: Epochs of the trial so far, in stages that predict.
            total: Epochs of the complete trial, in stages that predict.
        """
        epochs, alive, at = 0.0, 1.0, fidelity
        end = min(total, self.last or total)
        for rung, share in zip(self.rungs, self.passing, strict=True):
            if not fidelity < rung < end:
                continue
            epochs, at = epochs + alive * (rung - at), rung
            if self._pauses:
                return epochs
            alive *= share
        return epochs + alive * max(0, end - at)

    def new_trials(self, total: int) -> list[tuple[bool, float]]:
        """Return for each job to come whether it starts a new trial, and its epochs in stages that predict.

        If trials pause at rungs, each part of a trial between two rungs is a job.

        Args:
            total: Epochs of a complete trial, in stages that predict.
        """
        end = min(total, self.last or total)
        bounds = [rung for rung in self.rungs if rung < end] + [end]
        if self._pauses:
            return self._parts(bounds)
        alive, shares = 1.0, []
        for share in self.passing[: len(bounds) - 1]:
            alive *= share
            shares.append(alive)
        jobs = []
        for index in range(self._to_come):
            point = (0.5 + (index + len(self._trials)) * GOLDEN) % 1
            jobs.append((True, float(bounds[sum(point < share for share in shares)])))
        return jobs

    def _parts(self, bounds: Sequence[int]) -> list[tuple[bool, float]]:
        """Return the jobs to come between two rungs, the lowest rungs first."""
        jobs: list[tuple[bool, float]] = [(True, float(bounds[0]))] * self._to_come
        members = float(len(self._trials) + self._to_come)
        for lower, upper, share in zip(bounds, bounds[1:], self.passing, strict=False):
            entered = sum(_has_entered(trial, lower) for trial in self._trials)
            members = max(1.0, float(entered), share * members)
            jobs += [(False, float(upper - lower))] * round(members - entered)
        return jobs


def _ends_at(trial: TrialState, rung: int) -> bool:
    """Return whether a trial has ended at a rung, or waits there."""
    return trial.fidelity == rung and (trial.status in ("stopped", "paused") or trial.stop_decided)


def _has_entered(trial: TrialState, rung: int) -> bool:
    """Return whether a trial has passed a rung, or has been promoted from it."""
    return trial.fidelity > rung or (trial.fidelity == rung and trial.status == "running" and not trial.pause_decided)


def makespan(free: Sequence[float], jobs: Sequence[float]) -> float:
    """Return the seconds until all jobs have ended, if each starts on the worker that is free first.

    Args:
        free: Seconds until each worker is free.
        jobs: Seconds of each job, in the order of their starts.

    >>> makespan([0.0, 3.0], [2.0, 2.0, 2.0])
    5.0
    """
    workers = list(free)
    heapq.heapify(workers)
    for seconds in jobs:
        heapq.heapreplace(workers, workers[0] + seconds)
    return max(workers, default=0.0)
