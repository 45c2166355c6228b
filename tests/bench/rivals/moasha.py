"""MO-ASHA as Syne Tune publishes it, with its ranking corrected."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import numpy as np

from launch.pareto import Costs, as_costs, fronts
from launch.schedulers.base import Decision, NeverPauses


class Moasha(NeverPauses):
    """Scheduler that stops a trial at a rung if its place, from 0, is beyond 1/eta of the rung's members.

    Members are ordered by front, and within a front by an epsilon-net that begins with the best value of the first
    objective and continues with the member farthest from those taken. The published program takes the sorted indices
    of the members for their places. Here the places are used.

    It differs from mode "stop" of our own scheduler in more than details:

    - A rung of two members stops none, and in general one more member may continue: floor(n / eta) + 1, not
      floor(n / eta).
    - The first member of a rung always continues, and the second is compared already. Ours compares from three
      members on (`min_peers`).
    - The distances are between the values as reported, not normalised. Ours takes the crowding distance by default.

    Source: Schmucker et al. 2021, "Multi-objective Asynchronous Successive Halving"; Salinas et al. 2021, "A
    multi-objective perspective on jointly tuning hardware and hyperparameters", for the epsilon-net.

    Args:
        objectives: Metric -> "min" or "max".
        grace_period: Epoch of the first rung.
        reduction_factor: Factor eta.
        longest: Number of epochs of a training.
    """

    def __init__(
        self, objectives: Mapping[str, str], grace_period: int, reduction_factor: float, longest: int = 30
    ) -> None:
        count = int(math.log(longest / grace_period) / math.log(reduction_factor) + 1)
        milestones = [math.ceil(grace_period * reduction_factor**power) for power in range(count)]
        self._objectives, self._factor = dict(objectives), reduction_factor
        self._rungs: dict[int, list[list[float]]] = {epoch: [] for epoch in milestones if epoch < longest}
        self._answers: dict[tuple[Hashable, int], Decision] = {}

    def rung_epochs(self, last: int) -> Iterator[int]:
        """Return the epochs of the rungs below `last`."""
        return (epoch for epoch in self._rungs if epoch < last)

    def decide(self, trial: Hashable, epoch: int, row: Mapping[str, Any]) -> Decision:
        """Return whether a trial continues after an epoch."""
        if epoch not in self._rungs:
            return Decision()
        if (trial, epoch) not in self._answers:
            self._answers[trial, epoch] = self._arrival(epoch, row)
        return self._answers[trial, epoch]

    def _arrival(self, epoch: int, row: Mapping[str, Any]) -> Decision:
        rung = self._rungs[epoch]
        rung.append([float(row[name]) for name in self._objectives])
        place = int(places(as_costs(rung, list(self._objectives.values())))[-1])
        action = "stop" if place / len(rung) > 1 / self._factor else "continue"
        return Decision(action, f"rung {epoch}: place {place + 1} of {len(rung)}")


def places(costs: Costs) -> np.ndarray:
    """Return the place `(N,)` of each member from 0: by front, within a front by the epsilon-net.

    >>> places(np.array([[3.0, 3.0], [0.0, 2.0], [2.0, 0.0], [0.1, 1.9]])).tolist()
    [3, 0, 1, 2]
    """
    front = fronts(costs)
    ordered = [index for level in range(front.max() + 1) for index in _spread(costs, np.flatnonzero(front == level))]
    result = np.empty(len(costs), dtype=np.int64)
    result[ordered] = np.arange(len(costs))
    return result


def _spread(costs: Costs, members: np.ndarray) -> list[int]:
    """Return the members of a front, each the farthest from those before it."""
    points = costs[members]
    taken = [int(np.argmin(points[:, 0]))]
    nearest = np.full(len(points), np.inf)
    while len(taken) < len(points):
        nearest = np.minimum(nearest, np.linalg.norm(points - points[taken[-1]], axis=1))
        nearest[taken] = -1.0
        taken.append(int(np.argmax(nearest)))
    return members[taken].tolist()
