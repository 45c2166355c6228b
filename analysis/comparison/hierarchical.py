"""Hierarchical paired bootstrap of many configurations at once, which holds for few seeds too."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from analysis.comparison.weighted import weighted_values
from groupdir.bootstrap import CONFIDENCE, FEWEST, Difference
from groupdir.metrics import Metric

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def draw(samples: int, draws: int, seed: int) -> Counts:
    """Return how often each draw has each sample, `(draws, samples)`.

    The draws are those of `analysis.compare.paired_bootstrap` for a single seed.
    """
    rng = np.random.default_rng(seed)
    return np.stack([np.bincount(rng.integers(samples, size=samples), minlength=samples) for _ in range(draws)])


def resampled(metric: Metric, predictions: Array, target: Array, of_samples: Counts) -> Array:
    """Return a metric on resampled samples, `(draws, M, S)`, of M configurations with S seeds each, `(M, S, N)`."""
    methods, seeds, samples = predictions.shape
    values = weighted_values(metric, predictions.reshape(methods * seeds, samples), target, of_samples)
    return values.reshape(len(of_samples), methods, seeds)


def observed(metric: Metric, predictions: Array, target: Array) -> Array:
    """Return a metric of every configuration and seed, `(M, S)`."""
    return np.array([[metric.of(row, target) for row in rows] for rows in predictions])


def interval(value: float, differences: Array, seed: int) -> Difference:
    """Return a difference with its bootstrap interval and p-value.

    Each draw has its own samples. Its mean over seeds is then moved by a draw of Student's t with S - 1 degrees of
    freedom, in units of the standard error over its seeds. Resampling the S seeds instead would be too narrow: of
    5 seeds, it leaves out the true difference in 15 % of cases where the interval says 5 %, see the tests.
    With a single seed, only the samples are drawn.

    Args:
        value: Difference of the metric, averaged over seeds.
        differences: Differences on resampled samples, one per seed, `(draws, S)`.
        seed: Seed of the draws of Student's t.

    Returns:
        The difference. Interval and p-value are NaN if the metric is undefined in more than half of the draws.
    """
    draws, seeds = differences.shape
    values = differences.mean(axis=1)
    if seeds > 1:
        error = differences.std(axis=1, ddof=1) / math.sqrt(seeds)
        values = values + error * np.random.default_rng(seed).standard_t(seeds - 1, size=draws)
    values = values[np.isfinite(values)]
    if len(values) < FEWEST * draws:
        return Difference(value, math.nan, math.nan, math.nan)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    rarer = min(int((values <= 0).sum()), int((values >= 0).sum()))
    return Difference(value, float(low), float(high), min(1.0, 2 * (rarer + 1) / (len(values) + 1)))
