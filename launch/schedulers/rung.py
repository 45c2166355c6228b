"""One rung: who has come by, and who of them is among the best. Free of Ray."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from launch.pareto import Costs, TieBreak, as_costs, dominates, epsilon_of, fronts, order_by


class Rung:
    """The members of a rung in the order of their arrival, with their fronts.

    Without an epsilon a newcomer's front, and what it pushes back, are found from the fronts that are there, in far
    less time than a new sort takes; with one, dominance is not transitive and all fronts are found anew.

    Source: Li et al. 2017, "Efficient Nondomination Level Update Method for Steady-State Evolutionary Multiobjective
    Optimization", the idea of moving only what a newcomer pushes back.

    Args:
        directions: "min" or "max" for each objective.
        tie_break: Order within the front that straddles the cut.
        epsilon: Difference that is noise, for all objectives or each.

    >>> rung = Rung(["min", "min"])
    >>> for trial, vector in enumerate([(1, 4), (4, 1), (5, 5), (2, 2)]):
    ...     rung.add(trial, vector)
    >>> rung.front(2), rung.top(3)
    (1, [0, 1, 3])
    """

    def __init__(
        self, directions: Sequence[str], tie_break: TieBreak = "crowding", epsilon: float | Sequence[float] = 0.0
    ) -> None:
        self._directions = tuple(directions)
        self._order = order_by(tie_break)
        self._epsilon = epsilon_of(epsilon, len(directions))
        self._costs: Costs = np.empty((16, len(directions)))
        self._fronts: npt.NDArray[np.int64] = np.zeros(16, dtype=np.int64)
        self._place: dict[Hashable, int] = {}
        self._trials: list[Hashable] = []

    def __len__(self) -> int:
        return len(self._trials)

    def __contains__(self, trial: Hashable) -> bool:
        return trial in self._place

    def add(self, trial: Hashable, vector: Sequence[float]) -> None:
        """Takes a newcomer in.

        Raises:
            ValueError: It is there already, or the vector does not fit the objectives.
        """
        if trial in self:
            raise ValueError(f"trial {trial} must come to a rung once, and is there already")
        cost = as_costs([vector], self._directions)[0]
        size = len(self)
        if size == len(self._costs):
            self._costs = np.concatenate([self._costs, np.empty_like(self._costs)])
            self._fronts = np.concatenate([self._fronts, np.zeros_like(self._fronts)])
        self._costs[size] = cost
        self._place[trial] = size
        self._trials.append(trial)
        if self._epsilon.any():
            self._fronts[: size + 1] = fronts(self._costs[: size + 1], self._epsilon)
        else:
            self._insert(size)

    def front(self, trial: Hashable) -> int:
        """Index of its front, from 0. That of failures is behind all others."""
        return int(self._fronts[self._place[trial]])

    def failed(self, trial: Hashable) -> bool:
        """Whether an objective of it was no number."""
        return not np.isfinite(self._costs[self._place[trial], 0])

    def better(self, trial: Hashable) -> int:
        """How many are on better fronts."""
        return int((self._fronts[: len(self)] < self.front(trial)).sum())

    def is_top(self, trial: Hashable, count: int) -> bool:
        """Whether it is among the best `count`: by front, and on the front that straddles the cut by the tie-break."""
        if self.failed(trial):
            return False
        left = count - self.better(trial)
        if left <= 0:
            return False
        same = np.flatnonzero(self._fronts[: len(self)] == self.front(trial))
        if len(same) <= left:
            return True
        return self._place[trial] in same[self._order(self._costs[same])[:left]]

    def top(self, count: int) -> list[Hashable]:
        """The best `count` in the order of their arrival, fewer where all others have failed."""
        index = self._fronts[: len(self)]
        finite = np.isfinite(self._costs[: len(self), 0])
        sizes = np.cumsum(np.bincount(index[finite])) if finite.any() else np.zeros(0, dtype=np.int64)
        whole = int(np.searchsorted(sizes, count, side="right"))
        taken = np.flatnonzero(finite & (index < whole))
        if len(taken) < count and whole < len(sizes):
            straddling = np.flatnonzero(finite & (index == whole))
            chosen = straddling[self._order(self._costs[straddling])[: count - len(taken)]]
            taken = np.sort(np.concatenate([taken, chosen]))
        return [self._trials[place] for place in taken]

    def _insert(self, place: int) -> None:
        """Finds the newcomer's front, then pushes back by one whoever it dominates there, and so on downwards."""
        costs, index = self._costs[: place + 1], self._fronts[: place + 1]
        finite = np.isfinite(costs[:, 0])
        if not finite[place]:
            index[~finite] = index[finite].max(initial=-1) + 1
            return
        index[place] = -1  # on no front yet
        above = finite & dominates(costs, costs[place])
        level = int(index[above].max(initial=-1)) + 1
        index[place] = level
        moved = np.array([place])
        while True:
            there = finite & (index == level)
            there[moved] = False
            members = np.flatnonzero(there)
            pushed = members[dominates(costs[moved][:, None], costs[members][None]).any(axis=0)]
            if not len(pushed):
                break
            level += 1
            index[pushed] = level
            moved = pushed
        index[~finite] = index[finite].max() + 1
