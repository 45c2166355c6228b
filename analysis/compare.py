"""Paired bootstrap of the difference between two configurations, by their predictions on one test set."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from groupdir.bootstrap.difference import Difference, difference_of_draws
from groupdir.bootstrap.settings import DRAWS

__all__ = ["Difference", "Metric", "paired_bootstrap"]

Array = npt.NDArray[np.float64]
Metric = Callable[[Array, Array], float]


def paired_bootstrap(
    target: npt.ArrayLike,
    first: npt.ArrayLike,
    second: npt.ArrayLike,
    metric: Metric,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Difference:
    """Return the difference of a metric between two configurations, with a bootstrap interval over samples and seeds.

    Each draw resamples the N samples, the same ones for both configurations, and the S seeds. If both configurations
    have the same number of seeds, seed s of one is paired with seed s of the other; otherwise the seeds of each are
    resampled on their own. The interval holds the middle 95 % of the draws. With few seeds it is too narrow, because
    the spread of S resampled seeds is smaller than that of S new ones by the factor sqrt((S - 1) / S).
    `groupdir.bootstrap.hierarchical`, which `groupdir train` and `groupdir compare` use, corrects this.

    Args:
        target: True labels `(N,)`, in label units.
        first: Predictions `(S, N)` of the first configuration, one row per seed.
        second: Predictions `(S, N)` of the second configuration; its number of seeds may differ.
        metric: Function of predictions `(N,)` and targets `(N,)`, such as the mean absolute error.
        draws: Number of bootstrap draws, at least 1. Draws in which the metric is not finite are skipped.
        seed: Seed of the resampling.

    Raises:
        ValueError: If shapes do not fit, values are not finite, or the metric is undefined on the samples or in more
            than half of the draws.

    Source: Efron and Tibshirani 1993, chapters 13 and 16; the p-value counts the observed value as one more draw.

    Example:
        >>> y = np.array([1.0, 2.0, 3.0, 4.0])
        >>> error = lambda prediction, target: float(np.abs(prediction - target).mean())
        >>> difference = paired_bootstrap(y, [y + 1], [y + 3], error, draws=100)
        >>> difference.value, difference.low, difference.high
        (-2.0, -2.0, -2.0)
    """
    y, one, other = _checked(target, first, second)
    if draws < 1:
        raise ValueError(f"draws must be >= 1, got {draws}")
    value = _mean_metric(metric, one, y) - _mean_metric(metric, other, y)
    if not math.isfinite(value):
        raise ValueError(f"the metric must be defined on the samples, got a difference of {value}")
    rng = np.random.default_rng(seed)
    differences = np.empty(draws)
    for draw in range(draws):
        samples = rng.integers(len(y), size=len(y))
        seeds = rng.integers(len(one), size=len(one))
        other_seeds = seeds if len(one) == len(other) else rng.integers(len(other), size=len(other))
        truth = y[samples]
        differences[draw] = _mean_metric(metric, one[:, samples], truth, seeds) - _mean_metric(
            metric, other[:, samples], truth, other_seeds
        )
    found = difference_of_draws(value, differences)
    if math.isnan(found.low):
        defined = int(np.isfinite(differences).sum())
        raise ValueError(f"the metric must be defined in at least half of the draws, got {defined} of {draws}")
    return found


def _mean_metric(
    metric: Metric, predictions: Array, target: Array, seeds: npt.NDArray[np.int64] | None = None
) -> float:
    """Return the mean over seeds, by default all, of a metric of predictions `(S, N)`."""
    chosen, counts = np.unique(np.arange(len(predictions)) if seeds is None else seeds, return_counts=True)
    values = np.array([metric(predictions[index], target) for index in chosen], dtype=np.float64)
    return float(values @ counts / counts.sum())


def _checked(target: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[Array, Array, Array]:
    """Return the arguments as float64 arrays, or refuse them."""
    y = np.asarray(target, dtype=np.float64)
    if y.ndim != 1 or not len(y):
        raise ValueError(f"target must have shape (N,) with N >= 1, got {y.shape}")
    arrays = {"first": np.asarray(first, dtype=np.float64), "second": np.asarray(second, dtype=np.float64)}
    for name, array in arrays.items():
        if array.ndim != 2 or not len(array) or array.shape[1] != len(y):
            raise ValueError(f"{name} must have shape (S, {len(y)}) with S >= 1, got {array.shape}")
    for name, array in {"target": y, **arrays}.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} must be finite, got {int((~np.isfinite(array)).sum())} NaN or infinite values")
    return y, arrays["first"], arrays["second"]
