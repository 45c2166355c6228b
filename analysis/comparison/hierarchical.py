"""Hierarchical paired bootstrap of many configurations at once, with a correction for few seeds."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, t

from analysis.compare import CONFIDENCE, FEWEST, Difference
from analysis.comparison.weighted import weighted_values
from groupdir.metrics import Metric

Array = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def few_seeds_factor(seeds: int) -> float:
    """Return the factor by which the spread of resampled seeds is widened; 1 for a single seed.

    The mean of S resampled seeds varies less than that of S new ones, by sqrt((S - 1) / S), and percentiles ignore
    that the spread itself is estimated from S values. The factor replaces the normal quantile by that of Student's t.

    Source: Hesterberg 2015, "What teachers should know about the bootstrap", expanded percentile interval.

    >>> round(few_seeds_factor(5), 2), round(few_seeds_factor(20), 2)
    (1.58, 1.1)
    """
    if seeds < 2:
        return 1.0
    quantile = (1 + CONFIDENCE) / 2
    return float(t.ppf(quantile, seeds - 1) / norm.ppf(quantile) * math.sqrt(seeds / (seeds - 1)))


def draw(samples: int, seeds: int, draws: int, seed: int) -> tuple[Counts, Counts]:
    """Return how often each draw has each sample, `(draws, samples)`, and each seed, `(draws, seeds)`.

    The draws are those of `analysis.compare.paired_bootstrap` with the same seed.
    """
    rng = np.random.default_rng(seed)
    of_samples = np.empty((draws, samples), dtype=np.int64)
    of_seeds = np.empty((draws, seeds), dtype=np.int64)
    for row in range(draws):
        of_samples[row] = np.bincount(rng.integers(samples, size=samples), minlength=samples)
        of_seeds[row] = np.bincount(rng.integers(seeds, size=seeds), minlength=seeds)
    return of_samples, of_seeds


def resampled(metric: Metric, predictions: Array, target: Array, of_samples: Counts) -> Array:
    """Return a metric on resampled samples, `(draws, M, S)`, of M configurations with S seeds each, `(M, S, N)`."""
    methods, seeds, samples = predictions.shape
    values = weighted_values(metric, predictions.reshape(methods * seeds, samples), target, of_samples)
    return values.reshape(len(of_samples), methods, seeds)


def observed(metric: Metric, predictions: Array, target: Array) -> Array:
    """Return a metric of every configuration and seed, `(M, S)`."""
    return np.array([[metric.of(row, target) for row in rows] for rows in predictions])


def interval(value: float, differences: Array, of_seeds: Counts, *, factor: float | None = None) -> Difference:
    """Return a difference with its bootstrap interval and p-value.

    Args:
        value: Difference of the metric, averaged over seeds.
        differences: Differences on resampled samples, one per seed, `(draws, S)`.
        of_seeds: How often each draw has each seed, `(draws, S)`.
        factor: Factor on the spread of resampled seeds; None for `few_seeds_factor`. With 1 and the same draws, the
            result is that of `paired_bootstrap`.

    Returns:
        The difference. Interval and p-value are NaN if the metric is undefined in more than half of the draws.
    """
    seeds = differences.shape[1]
    scale = few_seeds_factor(seeds) if factor is None else factor
    drawn = np.where(of_seeds > 0, differences * of_seeds, 0.0).sum(axis=1) / seeds
    center = differences.mean(axis=1)
    values = drawn if scale == 1 else center + scale * (drawn - center)
    values = values[np.isfinite(values)]
    if len(values) < FEWEST * len(differences):
        return Difference(value, math.nan, math.nan, math.nan)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    rarer = min(int((values <= 0).sum()), int((values >= 0).sum()))
    return Difference(value, float(low), float(high), min(1.0, 2 * (rarer + 1) / (len(values) + 1)))
