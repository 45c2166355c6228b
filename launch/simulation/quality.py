"""Quality of a search's front: its hypervolume as a share of the best known hypervolume."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import moocore
import numpy as np

from launch.pareto import Costs, as_costs, fronts


class FrontQuality:
    """Judge of sets of configurations by their hypervolume.

    The objectives are those without the noise of a seed, so a lucky seed gains nothing. In each objective, the
    reference point lies a tenth of the known front's range beyond the worst member of the known front. Where the front
    has no range, as with one objective, it is the range of all known configurations.

    Args:
        known: Objectives of many configurations, whose front is the known front.
        directions: "min" or "max" for each objective.
    """

    def __init__(self, known: Sequence[Sequence[float]], directions: Sequence[str]) -> None:
        self._directions = list(directions)
        costs = as_costs(known, self._directions)
        best = costs[fronts(costs) == 0]
        span, all_span = np.ptp(best, axis=0), np.ptp(costs, axis=0)
        span = np.where(span > 0, span, np.where(all_span > 0, all_span, 1.0))
        self.reference = best.max(axis=0) + 0.1 * span
        self.front_size = len(best)
        self.best = float(moocore.hypervolume(best, ref=self.reference))

    def costs(self, vectors: Sequence[Sequence[float]]) -> Costs:
        """Return objectives `(N, M)` as costs to be minimised."""
        return as_costs(vectors, self._directions)

    def of(self, vectors: Iterable[Sequence[float]]) -> float:
        """Return the hypervolume of some configurations as a share of the best known one.

        The share is above 1 if the configurations are better than the known front.
        """
        chosen = list(vectors)
        if not chosen or not self.best:
            return 0.0
        return float(moocore.hypervolume(as_costs(chosen, self._directions), ref=self.reference)) / self.best
