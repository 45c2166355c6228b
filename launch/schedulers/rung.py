"""Rung of successive halving: the trials that reached it, and the best of them. Free of Ray."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from launch.pareto import Costs, TieBreak, as_costs, dominates, epsilon_of, is_among_first, order_by
from launch.schedulers.noisy_fronts import NoisyFronts


class Rung:
    """Members of a rung in the order of their arrival, with their fronts.

    A newcomer is inserted into the existing fronts and pushes dominated members back, which is far faster than sorting
    all members again. With an epsilon, dominance is not transitive and can be circular, see `NoisyFronts`.

    Source: Li et al. 2017, "Efficient Nondomination Level Update Method for Steady-State Evolutionary Multiobjective
    Optimization", the idea of moving only the members that a newcomer pushes back.

    Args:
        directions: "min" or "max" for each objective.
        tie_break: Order within the front that straddles the cut.
        epsilon: Difference that counts as noise, for all objectives or for each.

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
        self._tie_break = tie_break
        self._epsilon = epsilon_of(epsilon, len(directions))
        self._noisy = NoisyFronts() if self._epsilon.any() else None
        # Members in ascending order of each objective. With an epsilon nearly all can be on one front, and sorting them
        # for each newcomer would take long.
        self._orders: list[npt.NDArray[np.int64]] = [np.empty(0, dtype=np.int64) for _ in directions]
        self._costs: Costs = np.empty((16, len(directions)))
        self._fronts: npt.NDArray[np.int64] = np.zeros(16, dtype=np.int64)
        self._place: dict[Hashable, int] = {}
        self._trials: list[Hashable] = []

    def __len__(self) -> int:
        return len(self._trials)

    def __contains__(self, trial: Hashable) -> bool:
        return trial in self._place

    def add(self, trial: Hashable, vector: Sequence[float]) -> None:
        """Add a newcomer.

        Raises:
            ValueError: If the trial is a member already, or the vector does not fit the objectives.
        """
        if trial in self:
            raise ValueError(f"trial {trial} is a member of this rung already")
        cost = as_costs([vector], self._directions)[0]
        size = len(self)
        if size == len(self._costs):
            self._costs = np.concatenate([self._costs, np.empty_like(self._costs)])
            self._fronts = np.concatenate([self._fronts, np.zeros_like(self._fronts)])
        self._costs[size] = cost
        self._place[trial] = size
        self._trials.append(trial)
        if self._noisy is None:
            self._insert(size)
        else:
            self._insert_noisy(size, self._noisy)

    def front(self, trial: Hashable) -> int:
        """Return the index of a trial's front, from 0. Failures are on the last front."""
        return int(self._fronts[self._place[trial]])

    def failed(self, trial: Hashable) -> bool:
        """Return whether an objective of the trial is not finite."""
        return not np.isfinite(self._costs[self._place[trial], 0])

    def better(self, trial: Hashable) -> int:
        """Return the number of members on better fronts."""
        return int((self._fronts[: len(self)] < self.front(trial)).sum())

    def is_top(self, trial: Hashable, count: int) -> bool:
        """Return whether a trial is among the best `count`, by front and, on the front at the cut, by tie-break."""
        if self.failed(trial):
            return False
        places = count - self.better(trial)
        if places <= 0:
            return False
        is_same = self._fronts[: len(self)] == self.front(trial)
        same = np.flatnonzero(is_same)
        if len(same) <= places:
            return True
        index = np.cumsum(is_same) - 1  # of a member among `same`
        orders = None if self._noisy is None else [index[order[is_same[order]]] for order in self._orders]
        return is_among_first(self._costs[same], int(index[self._place[trial]]), places, self._tie_break, orders)

    def top(self, count: int) -> list[Hashable]:
        """Return the best `count` trials in the order of their arrival, or fewer if all others have failed."""
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
        """Put the newcomer on its front, then move the members that it dominates there one front back, and so on."""
        costs, index = self._costs[: place + 1], self._fronts[: place + 1]
        finite = np.isfinite(costs[:, 0])
        if not finite[place]:
            index[~finite] = index[finite].max(initial=-1) + 1
            return
        index[place] = -1  # on no front yet
        above = finite & dominates(costs, costs[place])
        front = int(index[above].max(initial=-1)) + 1
        index[place] = front
        moved = np.array([place])
        while True:
            members_here = finite & (index == front)
            members_here[moved] = False
            members = np.flatnonzero(members_here)
            pushed = members[dominates(costs[moved][:, None], costs[members][None]).any(axis=0)]
            if not len(pushed):
                break
            front += 1
            index[pushed] = front
            moved = pushed
        index[~finite] = index[finite].max() + 1

    def _insert_noisy(self, place: int, noisy: NoisyFronts) -> None:
        """Update the fronts of all members with an epsilon."""
        costs, index = self._costs[: place + 1], self._fronts[: place + 1]
        finite = np.isfinite(costs[:, 0])
        places = np.flatnonzero(finite)
        if finite[place]:
            others, newcomer = costs[places[:-1]], costs[place]
            for column, order in enumerate(self._orders):
                at = np.searchsorted(costs[order, column], newcomer[column], side="right")
                self._orders[column] = np.concatenate([order[:at], [place], order[at:]])
            noisy.add(dominates(newcomer, others, self._epsilon), dominates(others, newcomer, self._epsilon))
            index[places] = noisy.front[: len(places)]
        index[~finite] = index[finite].max(initial=-1) + 1
