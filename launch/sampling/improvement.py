"""How much points are expected to add to the volume that a front dominates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import qmc

from launch.pareto import fronts
from launch.sampling.process import Array

BoolArray = npt.NDArray[np.bool_]
PROBES = 1024
MARGIN = 0.1  # of the front's range, beyond its worst member: as in launch.simulation.quality, where it has a range


def expected_improvement(samples: Array, kept: BoolArray, known: int, seed: int) -> Array:
    """Expected hypervolume improvement of points over a front that is itself uncertain.

    In each of S samples of what may be true, of K known trials and N points together, a point that keeps to the
    constraints adds the volume that it dominates and no known trial does that keeps to them too; the mean over the
    samples is what is expected. A point next to a known trial has that one's luck in each sample, and so adds nothing,
    however noisy its measurement was. Volumes are shares of quasi-random probes in a box that holds the front; so any
    number of objectives will do.

    Source: Daulton et al. 2021, "Parallel Bayesian optimization of multiple noisy objectives with expected hypervolume
    improvement" (NEHVI), for one point at a time.

    Differences from the source: volumes by probes instead of box decompositions.

    Args:
        samples: Costs `(S, K + N, M)`, the known trials first.
        kept: Whether constraints hold `(S, K + N)`.
        known: K.
        seed: Of the probes.

    Returns:
        Shares of the box `(N,)`.
    """
    low, high = _box(samples, kept)
    probes = low + qmc.Sobol(len(low), scramble=True, rng=np.random.default_rng(seed)).random(PROBES) * (high - low)
    found = np.zeros(samples.shape[1] - known)
    for costs, holds in zip(samples, kept, strict=True):
        free = probes[~_dominated(costs[:known][holds[:known]], probes).any(axis=0)]
        found += holds[known:] * _dominated(costs[known:], free).sum(axis=1)
    return found / (PROBES * len(samples))


def _dominated(points: Array, probes: Array) -> Array:
    """Which points `(K, M)` are nowhere worse than which probes `(U, M)`: `(K, U)`."""
    found = np.ones((len(points), len(probes)), dtype=bool)
    for column in range(points.shape[1]):
        found &= points[:, None, column] <= probes[None, :, column]
    return found


def _box(samples: Array, kept: BoolArray) -> tuple[Array, Array]:
    """From the best to a tenth beyond the worst that the front has, of those that are likeliest to keep to constraints.

    Args:
        samples: `(S, N, M)`; their mean is what the front is of.
        kept: Whether constraints hold `(S, N)`: what breaks them is no reason to look for anything so good.
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
