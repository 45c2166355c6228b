"""Successive halving on the front of several objectives: the decisions alone, free of Ray."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any, Literal

from launch.pareto import TieBreak
from launch.schedulers.base import Decision
from launch.schedulers.rung import Rung

Mode = Literal["stop", "promote"]


class Ladder:
    """Rungs at the epochs grace_period * reduction_factor^k, and who may climb them.

    A trial is compared at the very epoch of a rung, with what it reports there. One that passes a rung without a report
    of that epoch is no member of it: a later value beside earlier ones would be no comparison. An objective that is
    missing or no finite number is a failed trial: it stops, and counts as one that came and lost. A second report of
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
        self._empty_rung()  # a wrong direction, tie-break or epsilon fails here
        self.rungs: dict[int, Rung] = {}
        self._said: dict[tuple[Hashable, int], Decision] = {}
        self._promoted: dict[int, set[Hashable]] = {}
        self._paused: dict[Hashable, int] = {}
        self._open: dict[int, tuple[int, list[Hashable]]] = {}

    def epochs(self) -> Iterator[int]:
        """The epochs of the rungs, upwards; without end where there is no `max_t`."""
        at, last = float(self.grace_period), 0
        while self.max_t is None or round(at) < self.max_t:
            if round(at) > last:
                last = round(at)
                yield last
            at *= self.reduction_factor

    def is_rung(self, epoch: int) -> bool:
        """Whether a rung stands at an epoch."""
        return next((at == epoch for at in self.epochs() if at >= epoch), False)

    def decide(self, trial: Hashable, epoch: int, row: Mapping[str, Any]) -> Decision:
        """What becomes of a trial after an epoch: it goes on, stops, or (mode "promote") pauses."""
        if (trial, epoch) in self._said:
            return self._said[trial, epoch]
        if self.max_t is not None and epoch >= self.max_t:
            return self._say(trial, epoch, Decision("stop", f"epoch {epoch}: the last, max_t is {self.max_t}", "max_t"))
        if not self.is_rung(epoch):
            return Decision()
        rung = self._rung(epoch)
        values = {name: _number(row.get(name)) for name in self.objectives}
        rung.add(trial, list(values.values()))
        if rung.failed(trial):
            missing = ", ".join(name for name, value in values.items() if not math.isfinite(value))
            return self._say(trial, epoch, Decision("stop", f"rung {epoch}: failed, no finite {missing}", "not_finite"))
        if self.mode == "promote":
            self._paused[trial] = epoch
            return self._say(
                trial, epoch, Decision("pause", f"rung {epoch}: waits for a place among the best", "waits")
            )
        return self._say(trial, epoch, self._arrival(trial, epoch, rung))

    def _arrival(self, trial: Hashable, epoch: int, rung: Rung) -> Decision:
        size = len(rung)
        if size < self.min_peers:
            reason = f"rung {epoch}: continues, only {size} of {self.min_peers} are here"
            return Decision("continue", reason, "few_peers")
        count = self.places(size)
        there = f"front {rung.front(trial) + 1}, {rung.better(trial)} of {size} on better ones, {count} may go on"
        return Decision("continue" if rung.is_top(trial, count) else "stop", f"rung {epoch}: {there}")

    def _rung(self, epoch: int) -> Rung:
        if epoch not in self.rungs:
            self.rungs[epoch] = self._empty_rung()
        return self.rungs[epoch]

    def _empty_rung(self) -> Rung:
        return Rung(list(self.objectives.values()), self._tie_break, self._epsilon)

    def places(self, size: int) -> int:
        """How many of a rung's members may go on: floor(n / eta), and one at least."""
        return max(1, math.floor(size / self.reduction_factor))

    def rung_epochs(self, last: int) -> Iterable[int]:
        """The rungs below an epoch."""
        return itertools.takewhile(lambda epoch: epoch < last, self.epochs())

    def promotable(self, ready: Callable[[Hashable], bool], last: bool = False) -> tuple[Hashable, int] | None:
        """A paused trial to go on with, and its rung: of the highest rung that has one, the earliest; or None.

        A rung of fewer than `min_peers` promotes nobody, unless it is as full as it will be (`last`): else a search
        whose upper rungs stay small would end without a finished trial.
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
        """The members with a place that have not gone on, found anew when the rung has grown."""
        size, found = self._open.get(epoch, (0, []))
        if size != len(rung):
            gone = self._promoted.get(epoch, set())
            found = [trial for trial in rung.top(self.places(len(rung))) if trial not in gone]
            self._open[epoch] = len(rung), found
        return found

    def promote(self, trial: Hashable, epoch: int) -> None:
        """Takes note that a paused trial goes on."""
        self._promoted.setdefault(epoch, set()).add(trial)
        self._paused.pop(trial, None)
        self._open.pop(epoch, None)

    def forget(self, trial: Hashable) -> None:
        """A trial has ended: it is never promoted any more, and stays a member of its rungs."""
        self._paused.pop(trial, None)

    @property
    def paused(self) -> list[Hashable]:
        """The trials that wait at a rung."""
        return list(self._paused)

    def _say(self, trial: Hashable, epoch: int, decision: Decision) -> Decision:
        self._said[trial, epoch] = decision
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
