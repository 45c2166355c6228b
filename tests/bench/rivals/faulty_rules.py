"""Faulty rules of two public tools, written again from their description."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

import numpy as np

from groupdir.config.space import StudyConfig
from launch.pareto import rank
from launch.schedulers.base import Decision, NeverPauses
from launch.schedulers.ladder import Ladder
from launch.schedulers.pareto_asha import ParetoHalving


class IndicesAsRanks(NeverPauses):
    """Faulty: the indices that sort the rung are read as the ranks of its members.

    The newcomer's "rank" is then the index of the trial that happens to be last in the order; whether it goes on has
    little to do with its own values.
    """

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._rungs: dict[int, list[list[float]]] = {}

    def rung_epochs(self, last: int) -> Iterator[int]:
        """The rungs below an epoch."""
        return iter(self._ladder.rung_epochs(last))

    def decide(self, trial: Hashable, epoch: int, row: Mapping[str, Any]) -> Decision:
        """Stops or goes on."""
        if not self._ladder.is_rung(epoch):
            return Decision()
        names, modes = list(self._ladder.objectives), list(self._ladder.objectives.values())
        rung = self._rungs.setdefault(epoch, [])
        rung.append([float(row[name]) for name in names])
        mistaken = np.argsort(rank(rung, modes), kind="stable")
        stops = mistaken[-1] >= len(rung) / self._ladder.reduction_factor
        return Decision("stop" if stops else "continue", f"rung {epoch}: read as place {mistaken[-1]} of {len(rung)}")


class NeverHalves:
    """Faulty: the share that may go on is counted among those that have not gone on yet, so that it never fills up."""

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._gone: dict[int, set[Hashable]] = {}
        self._sorted: dict[int, list[Hashable]] = {}

    def decide(self, trial: Hashable, epoch: int, row: Mapping[str, Any]) -> Decision:
        """Pauses at rungs."""
        return self._ladder.decide(trial, epoch, row)

    def rung_epochs(self, last: int) -> Iterator[int]:
        """The rungs below an epoch."""
        return iter(self._ladder.rung_epochs(last))

    def promotable(self, ready: Callable[[Hashable], bool], last: bool = False) -> tuple[Hashable, int] | None:
        """One of the best len(rest) // eta of those that have not gone on."""
        for epoch in sorted(self._ladder.rungs, reverse=True):
            gone = self._gone.setdefault(epoch, set())
            rest = [name for name in self._in_order(epoch) if name not in gone]
            for name in rest[: int(len(rest) // self._ladder.reduction_factor)]:
                if ready(name):
                    return name, epoch
        return None

    def _in_order(self, epoch: int) -> list[Hashable]:
        """A rung's members by front, sorted again when there are more."""
        rung = self._ladder.rungs[epoch]
        if len(self._sorted.get(epoch, ())) != len(rung):
            self._sorted[epoch] = sorted(rung.top(len(rung)), key=rung.front)
        return self._sorted[epoch]

    def promote(self, trial: Hashable, epoch: int) -> None:
        """Takes note."""
        self._gone.setdefault(epoch, set()).add(trial)
        self._ladder.promote(trial, epoch)


def ladder_of(config: StudyConfig) -> Ladder:
    """The rungs that the study's scheduler has."""
    return ParetoHalving.from_config(config.search)
