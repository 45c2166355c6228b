"""How good a search's front is: its hypervolume, as a share of the best that is known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import moocore
import numpy as np

from launch.pareto import as_costs, fronts


class FrontQuality:
    """Judges sets of configurations by their objectives without luck, so that a lucky seed is no discovery.

    The reference point lies, in each objective, a tenth of the front's range beyond the worst member of the front of
    all that is known.

    Args:
        known: Objectives of many configurations.
        directions: "min" or "max" for each objective.
    """

    def __init__(self, known: Sequence[Sequence[float]], directions: Sequence[str]) -> None:
        self._directions = list(directions)
        costs = as_costs(known, self._directions)
        best = costs[fronts(costs) == 0]
        self.reference = best.max(axis=0) + 0.1 * np.ptp(best, axis=0)
        self.front_size = len(best)
        self.best = float(moocore.hypervolume(best, ref=self.reference))

    def of(self, vectors: Iterable[Sequence[float]]) -> float:
        """Share of the best known hypervolume that some configurations reach; above 1 where they are better."""
        chosen = list(vectors)
        if not chosen or not self.best:
            return 0.0
        return float(moocore.hypervolume(as_costs(chosen, self._directions), ref=self.reference)) / self.best
