"""Metrics of weighted samples, for many weightings at once. A bootstrap needs them thousands of times."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from groupdir.metrics import (
    SMALLEST_ERROR,
    Metric,
    balanced_mean_absolute_error,
    geometric_mean_error,
    mean_absolute_error,
    mean_squared_error,
    pearson_correlation,
)

Array = npt.NDArray[np.float64]


def weighted_values(metric: Metric, predictions: Array, target: Array, counts: Array) -> Array:
    """Return a metric of resampled samples for every weighting and every row of predictions, `(D, K)`.

    A metric without a function in `WEIGHTED` is computed on each resample on its own, which is slow.

    Args:
        metric: Metric that compares values.
        predictions: Predictions `(K, N)`.
        target: True labels `(N,)`.
        counts: Number of times that each sample was drawn, `(D, N)`, whole numbers >= 0.
    """
    function = WEIGHTED.get(metric.compute)
    if function is not None:
        return function(predictions, target, counts)
    samples = np.arange(len(target))
    drawn = [np.repeat(samples, row.astype(np.int64)) for row in counts]
    return np.array([[metric.of(row[rows], target[rows]) for row in predictions] for rows in drawn])


def _mean(values: Array, weights: Array) -> Array:
    """Return the weighted means `(D, K)` of values `(K, N)`."""
    return np.asarray(weights @ values.T / weights.sum(axis=1, keepdims=True))


def _absolute(predictions: Array, target: Array, weights: Array) -> Array:
    return _mean(np.abs(predictions - target), weights)


def _squared(predictions: Array, target: Array, weights: Array) -> Array:
    return _mean(np.square(predictions - target), weights)


def _geometric(predictions: Array, target: Array, weights: Array) -> Array:
    return np.exp(_mean(np.log(np.maximum(np.abs(predictions - target), SMALLEST_ERROR)), weights))


def _balanced(predictions: Array, target: Array, weights: Array) -> Array:
    order = np.argsort(target, kind="stable")
    by_label = weights[:, order]
    starts = np.flatnonzero(np.diff(target[order], prepend=-math.inf))
    per_label = np.add.reduceat(by_label, starts, axis=1)
    shares = by_label / np.repeat(np.maximum(per_label, 1), np.diff(starts, append=len(target)), axis=1)
    return np.asarray(shares @ np.abs(predictions - target)[:, order].T / (per_label > 0).sum(axis=1, keepdims=True))


def _correlation(predictions: Array, target: Array, weights: Array) -> Array:
    scaled, spread = _scaled(predictions)
    y, y_spread = _scaled(target[None])
    moments = _mean(np.concatenate([scaled, scaled**2, scaled * y, y, y**2]), weights)  # one pass over the weights
    rows = len(predictions)
    mean, square, both, y_mean, y_square = np.split(moments, [rows, 2 * rows, 3 * rows, 3 * rows + 1], axis=1)
    covariance = both - mean * y_mean
    product = (square - mean**2) * (y_square - y_mean**2)
    constant = (product <= 1e-24) | (spread == 0).T | (y_spread == 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.clip(covariance / np.sqrt(product), -1, 1)
    return np.where(constant, math.nan, values)


def _scaled(values: Array) -> tuple[Array, Array]:
    """Return rows of mean 0 and range 1, so that no square is too large or too small, and their ranges `(K, 1)`."""
    spread = np.ptp(values, axis=1, keepdims=True)
    return (values - values.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0), spread


WEIGHTED: dict[Callable[..., float], Callable[[Array, Array, Array], Array]] = {
    mean_absolute_error: _absolute,
    mean_squared_error: _squared,
    geometric_mean_error: _geometric,
    balanced_mean_absolute_error: _balanced,
    pearson_correlation: _correlation,
}
"""Fast forms of functions of groupdir.metrics. A metric without one is slower."""
