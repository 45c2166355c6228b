"""Expected hypervolume improvement: the volume that points are expected to add to a front."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import qmc

from launch.pareto import fronts
from launch.sampling.gaussian import Array

BoolArray = npt.NDArray[np.bool_]
PROBES = 1024
MARGIN = 0.1  # of the front's range, added beyond its worst member, as in launch.simulation.quality


def expected_improvement(samples: Array, kept: BoolArray, known: int, seed: int) -> Array:
    """Return the expected hypervolume improvement of points over a front that is itself uncertain.

    There are S joint samples of the true costs of K known trials and N points. In each sample, a point that satisfies
    the constraints adds the volume that it dominates and that no known trial with satisfied constraints dominates. The
    expectation is the mean over the samples. A point next to a known trial has nearly the same cost as that trial in
    each sample, so it adds nothing, however noisy the trial's measurement was. Volumes are shares of quasi-random
    probes in a box around the front, which works for any number of objectives.

    Source: Daulton et al. 2021, "Parallel Bayesian optimization of multiple noisy objectives with expected hypervolume
    improvement" (NEHVI), for one point at a time.

    Differences from the source: volumes by probes instead of box decompositions.

    Args:
        samples: Costs `(S, K + N, M)`, the known trials first.
        kept: Flags `(S, K + N)`, True where the constraints are satisfied.
        known: Number of known trials, K.
        seed: Seed of the probes.

    Returns:
        Shares of the box `(N,)`, from 0 to 1.
    """
    low, high = _box(samples, kept)
    probes = low + qmc.Sobol(len(low), scramble=True, rng=np.random.default_rng(seed)).random(PROBES) * (high - low)
    gain = np.zeros(samples.shape[1] - known)
    for costs, holds in zip(samples, kept, strict=True):
        free = probes[~_dominated(costs[:known][holds[:known]], probes).any(axis=0)]
        gain += holds[known:] * _dominated(costs[known:], free).sum(axis=1)
    return gain / (PROBES * len(samples))


def _dominated(points: Array, probes: Array) -> Array:
    """Mark the pairs `(K, U)` of which the point `(K, M)` is no worse than the probe `(U, M)` in any objective."""
    dominated = np.ones((len(points), len(probes)), dtype=bool)
    for column in range(points.shape[1]):
        dominated &= points[:, None, column] <= probes[None, :, column]
    return dominated


def _box(samples: Array, kept: BoolArray) -> tuple[Array, Array]:
    """Return the lowest and highest corner `(M,)` of a box around the front.

    The box reaches from the best costs to a tenth of the front's range beyond its worst costs. The front is that of the
    points that most likely satisfy the constraints. A point that violates them must not enlarge the box.

    Args:
        samples: Costs `(S, N, M)`. The front is computed from their mean.
        kept: Flags `(S, N)`, True where the constraints are satisfied.
    """
    chance = kept.mean(axis=0)
    middle = samples.mean(axis=0)[chance >= min(0.5, chance.max())]
    front = middle[fronts(middle) == 0]
    low = front.min(axis=0)
    best = np.where(kept[:, :, None], samples, np.inf).min(axis=1)
    best = best[np.isfinite(best).all(axis=1)]
    if len(best):
        low = np.minimum(low, np.quantile(best, 0.25, axis=0))
    span = np.maximum(np.ptp(front, axis=0), 1e-9 + 1e-3 * np.abs(front).max(axis=0))
    return low, front.max(axis=0) + MARGIN * span
