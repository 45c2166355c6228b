"""Successive halving by the front of several objectives. It only decides and does not use Ray."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any, Literal

from groupdir.metrics import find_metric
from launch.pareto import TieBreak
from launch.schedulers.base import Decision
from launch.schedulers.rung import Rung

Mode = Literal["stop", "promote"]


class Ladder:
    """Ladder of rungs at the epochs grace_period * reduction_factor^k, with the decision which trials climb them.

    A trial is compared with the values that it reports exactly at the epoch of a rung. A trial that does not report
    that epoch is not a member of the rung, because its later values cannot be compared with the others' values. A trial
    fails if an objective is missing or not finite: it stops, and counts as a member that ranks last. A second report of
    the same epoch changes nothing and gets the first answer. See `ParetoASHA` for the arguments.
    """

    def __init__(
        self,
        objectives: Mapping[str, str],
        *,
        grace_period: int,
        reduction_factor: float,
        max_t: int | None,
        tie_break: TieBreak,
        epsilon: float | Mapping[str, float],
        min_peers: int,
        mode: Mode,
    ) -> None:
        _check(objectives, grace_period, reduction_factor, max_t, min_peers, mode)
        self.objectives = dict(objectives)
        self.grace_period = grace_period
        self.reduction_factor = reduction_factor
        self.max_t = max_t
        self.min_peers = min_peers
        self.mode = mode
        self._tie_break: TieBreak = tie_break
        self._epsilon = _epsilons(epsilon, objectives)
        self._empty_rung()  # to raise now if a direction, the tie-break or an epsilon is invalid
        self.rungs: dict[int, Rung] = {}
        self._answers: dict[tuple[Hashable, int], Decision] = {}
        self._promoted: dict[int, set[Hashable]] = {}
        self._paused: dict[Hashable, int] = {}
        self._open: dict[int, tuple[int, list[Hashable]]] = {}

    def epochs(self) -> Iterator[int]:
        """Yield the epochs of the rungs in ascending order, without end if `max_t` is None."""
        at, last = float(self.grace_period), 0
        while self.max_t is None or round(at) < self.max_t:
            if round(at) > last:
                last = round(at)
                yield last
            at *= self.reduction_factor

    def is_rung(self, epoch: int) -> bool:
        """Return whether a rung stands at an epoch."""
        return next((at == epoch for at in self.epochs() if at >= epoch), False)

    def decide(self, trial: Hashable, epoch: int, row: Mapping[str, Any]) -> Decision:
        """Return the decision about a trial after an epoch: continue, stop, or pause (mode "promote")."""
        if (trial, epoch) in self._answers:
            return self._answers[trial, epoch]
        if self.max_t is not None and epoch >= self.max_t:
            return self._keep(trial, epoch, Decision("stop", f"epoch {epoch}: max_t is {self.max_t}", "max_t"))
        if not self.is_rung(epoch):
            return Decision()
        rung = self._rung(epoch)
        values = {name: _number(row.get(name)) for name in self.objectives}
        rung.add(trial, list(values.values()))
        if rung.failed(trial):
            missing = ", ".join(name for name, value in values.items() if not math.isfinite(value))
            reason = f"rung {epoch}: failed, no finite value of {missing}"
            return self._keep(trial, epoch, Decision("stop", reason, "not_finite"))
        if self.mode == "promote":
            self._paused[trial] = epoch
            return self._keep(
                trial, epoch, Decision("pause", f"rung {epoch}: pauses until it is among the best", "waits")
            )
        return self._keep(trial, epoch, self._arrival(trial, epoch, rung))

    def _arrival(self, trial: Hashable, epoch: int, rung: Rung) -> Decision:
        size = len(rung)
        if size < self.min_peers:
            reason = f"rung {epoch}: continues, only {size} of at least {self.min_peers} members"
            return Decision("continue", reason, "few_peers")
        count = self.places(size)
        rank = f"front {rung.front(trial) + 1}, {rung.better(trial)} of {size} on better fronts, {count} may continue"
        return Decision("continue" if rung.is_top(trial, count) else "stop", f"rung {epoch}: {rank}")

    def _rung(self, epoch: int) -> Rung:
        if epoch not in self.rungs:
            self.rungs[epoch] = self._empty_rung()
        return self.rungs[epoch]

    def _empty_rung(self) -> Rung:
        return Rung(list(self.objectives.values()), self._tie_break, self._epsilon)

    def places(self, size: int) -> int:
        """Return how many of `size` members of a rung may continue: floor(size / eta), but at least one."""
        return max(1, math.floor(size / self.reduction_factor))

    def rung_epochs(self, last: int) -> Iterable[int]:
        """Return the epochs of the rungs below `last`."""
        return itertools.takewhile(lambda epoch: epoch < last, self.epochs())

    def promotable(self, ready: Callable[[Hashable], bool], last: bool = False) -> tuple[Hashable, int] | None:
        """Return a paused trial that may continue and the epoch of its rung, or None.

        The highest rung with such a trial comes first, and within a rung the trial that reached it first. A rung with
        fewer than `min_peers` members promotes no trial until no more members will come (`last`). Then it does, because
        a search whose upper rungs stay small would otherwise end without a finished trial.
        """
        if not self._paused:
            return None
        for epoch in sorted(self.rungs, reverse=True):
            rung = self.rungs[epoch]
            if len(rung) < self.min_peers and not last:
                continue
            for trial in self._places_of(epoch, rung):
                if self._paused.get(trial) == epoch and ready(trial):
                    return trial, epoch
        return None

    def _places_of(self, epoch: int, rung: Rung) -> list[Hashable]:
        """Return the members that may continue and have not yet; compute them again only after the rung has grown."""
        size, trials = self._open.get(epoch, (0, []))
        if size != len(rung):
            promoted = self._promoted.get(epoch, set())
            trials = [trial for trial in rung.top(self.places(len(rung))) if trial not in promoted]
            self._open[epoch] = len(rung), trials
        return trials

    def promote(self, trial: Hashable, epoch: int) -> None:
        """Register that a paused trial continues."""
        self._promoted.setdefault(epoch, set()).add(trial)
        self._paused.pop(trial, None)
        self._open.pop(epoch, None)

    def forget(self, trial: Hashable) -> None:
        """Register that a trial has ended. It is no longer promoted, but stays a member of its rungs."""
        self._paused.pop(trial, None)

    @property
    def paused(self) -> list[Hashable]:
        """Trials that are paused at a rung."""
        return list(self._paused)

    def _keep(self, trial: Hashable, epoch: int, decision: Decision) -> Decision:
        self._answers[trial, epoch] = decision
        return decision


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) or hasattr(value, "__float__") else math.nan


def _epsilons(epsilon: float | Mapping[str, float], objectives: Mapping[str, str]) -> list[float]:
    if not isinstance(epsilon, Mapping):
        return [float(epsilon)] * len(objectives)
    if unknown := set(epsilon) - set(objectives):
        raise ValueError(f"epsilon must name objectives ({', '.join(objectives)}), got {min(unknown)}")
    return [float(epsilon.get(name, 0.0)) for name in objectives]


def _check(
    objectives: Mapping[str, str], grace: int, factor: float, max_t: int | None, min_peers: int, mode: str
) -> None:
    if not objectives:
        raise ValueError("objectives must name at least one metric, got none")
    if not isinstance(objectives, Mapping):
        raise ValueError(f"objectives must map each metric to min or max, got {objectives!r}")
    for name, direction in objectives.items():
        metric = find_metric(name)
        if direction not in ("min", "max"):
            raise ValueError(f"the direction of {name} must be min or max, got {direction!r}")
        if metric is not None and direction != metric.metric.direction:
            text = f"because the {metric.metric.best} {metric.metric.text} is best, got {direction}"
            raise ValueError(f"the direction of {name} must be {metric.metric.direction}, {text}")
    if grace < 1:
        raise ValueError(f"grace_period must be >= 1, got {grace}")
    if not factor > 1:
        raise ValueError(f"reduction_factor must be > 1, got {factor}")
    if max_t is not None and max_t < grace:
        raise ValueError(f"max_t must be >= grace_period ({grace}), got {max_t}")
    if min_peers < 1:
        raise ValueError(f"min_peers must be >= 1, got {min_peers}")
    if mode not in ("stop", "promote"):
        raise ValueError(f"mode must be stop or promote, got {mode!r}")
