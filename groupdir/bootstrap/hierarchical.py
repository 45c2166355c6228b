"""Hierarchical paired bootstrap of many configurations at once, which holds for few seeds too."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from groupdir.bootstrap.difference import Difference, difference_of_draws
from groupdir.bootstrap.settings import DRAWS
from groupdir.bootstrap.weighted import weighted_values
from groupdir.metrics import Metric

Array = npt.NDArray[np.float64]

CELLS = 1_000_000
"""Largest number of weights in memory at a time. Parts that fit into a processor's cache are faster, too."""


@dataclass(frozen=True)
class Resampled:
    """Metric of M configurations with S seeds each, as observed and on resampled samples.

    Attributes:
        observed: Metric of every configuration and seed, `(M, S)`.
        drawn: Metric on the samples of each draw, `(D, M, S)`.
        seed: Seed of the draws that stand for other seeds of the trainings.
    """

    observed: Array
    drawn: Array
    seed: int

    def mean(self, index: int) -> Difference:
        """Return a configuration by its index, averaged over seeds, as a difference to 0 with its interval."""
        return interval(float(self.observed[index].mean()), self.drawn[:, index], self.seed)

    def difference(self, first: int, second: int) -> Difference:
        """Return the first configuration minus the second, by their indices, with its interval.

        Interval and p-value are NaN if the metric is undefined for a seed, or in more than half of the draws.
        """
        means = self.observed[[first, second]].mean(axis=1)
        return interval(float(means[0] - means[1]), self.drawn[:, first] - self.drawn[:, second], self.seed)


def resample(
    metrics: Sequence[Metric],
    predictions: Array,
    target: Array,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    advance: Callable[[int], None] = lambda count: None,
) -> dict[str, Resampled]:
    """Return metrics of configurations on resampled samples, by name. Every metric has the same draws.

    Args:
        metrics: Metrics that compare values.
        predictions: Predictions `(M, S, N)` of M configurations with S seeds each, all finite.
        target: True labels `(N,)`.
        draws: Number of draws.
        seed: Seed of the draws.
        advance: Function that is called with the number of draws that were computed since its last call.
    """
    methods, seeds, samples = predictions.shape
    rows = predictions.reshape(methods * seeds, samples)
    parts: dict[str, list[Array]] = {metric.name: [] for metric in metrics}
    for counts in draw(samples, draws, seed):
        for metric in metrics:
            parts[metric.name].append(weighted_values(metric, rows, target, counts))
        advance(len(counts))
    return {
        metric.name: Resampled(
            observed=np.array([metric.of(row, target) for row in rows]).reshape(methods, seeds),
            drawn=np.concatenate(parts[metric.name]).reshape(draws, methods, seeds),
            seed=seed + 1,
        )
        for metric in metrics
    }


def draw(samples: int, draws: int, seed: int) -> Iterator[Array]:
    """Yield how often each draw has each sample, as parts `(D, samples)` of all draws.

    The draws are those of `analysis.compare.paired_bootstrap` for a single seed.
    """
    rng = np.random.default_rng(seed)
    size = max(1, CELLS // samples)
    for start in range(0, draws, size):
        chosen = [rng.integers(samples, size=samples) for _ in range(min(size, draws - start))]
        yield np.stack([np.bincount(row, minlength=samples) for row in chosen]).astype(np.float64)


def interval(value: float, differences: Array, seed: int) -> Difference:
    """Return a difference with its bootstrap interval and p-value.

    Each draw has its own samples. Its mean over seeds is then moved by a draw of Student's t with S - 1 degrees of
    freedom, in units of the standard error over its seeds. Resampling the S seeds instead would be too narrow: with
    5 seeds, such a 95 % interval misses the true difference in 15 % of cases, see the tests.
    With a single seed, only the samples are drawn.

    Args:
        value: Difference of the metric, averaged over seeds.
        differences: Differences on resampled samples, one per seed, `(D, S)`.
        seed: Seed of the draws of Student's t.

    Returns:
        The difference. Interval and p-value are NaN if the metric is undefined in more than half of the draws.
    """
    draws, seeds = differences.shape
    values = differences.mean(axis=1)
    if seeds > 1:
        error = differences.std(axis=1, ddof=1) / math.sqrt(seeds)
        values = values + error * student(seeds - 1, draws, seed)
    return difference_of_draws(value, values)


@lru_cache(maxsize=8)
def student(degrees: int, draws: int, seed: int) -> Array:
    """Return draws of Student's t, one from each of `draws` parts of equal probability, in random order.

    The ends of an interval vary less between seeds with one draw from each part than with independent draws.
    """
    levels = (np.arange(draws) + 0.5) / draws
    values = np.asarray(stdtrit(degrees, np.random.default_rng(seed).permutation(levels)), dtype=np.float64)
    values.flags.writeable = False  # every call with these arguments gets this array
    return values
