"""Fronts of many sets of points at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from groupdir.values.kernels import Array

Flags = npt.NDArray[np.bool_]

AT_ONCE = 200_000
"""Comparisons of two points in one metric that are made at once, so that they fit into a processor's cache."""


def on_front(costs: Array) -> Flags:
    """Mark the points `(..., K, M)` that no other point of their set dominates. A point with a NaN is not marked."""
    if not costs.size:
        return np.zeros(costs.shape[:-1], dtype=bool)
    sets = costs.reshape(-1, *costs.shape[-2:])
    marked = np.empty(sets.shape[:2], dtype=bool)
    step = max(1, AT_ONCE // max(1, costs.shape[-2] ** 2))
    for start in range(0, len(sets), step):
        marked[start : start + step] = _on_front(sets[start : start + step])
    return marked.reshape(costs.shape[:-1])


def _on_front(costs: Array) -> Flags:
    """Mark the front of sets that are compared at once.

    A point of the front is no worse in all metrics than itself alone, unless the set holds an equal point.
    """
    shape = (*costs.shape[:-1], costs.shape[-2])
    metrics = np.moveaxis(costs, -1, 0)  # numpy reduces a last axis of a few metrics slowly
    no_worse = np.ones(shape, dtype=bool)
    for metric in metrics:
        no_worse &= metric[..., :, None] <= metric[..., None, :]
    first = np.sort(metrics[0], axis=-1)
    if not (first[..., 1:] == first[..., :-1]).any():
        dominated = no_worse.sum(axis=-2) > 1
    else:
        better = np.zeros(shape, dtype=bool)
        for metric in metrics:
            better |= metric[..., :, None] < metric[..., None, :]
        dominated = np.any(no_worse & better, axis=-2)
    return np.asarray(np.isfinite(costs).all(axis=-1) & ~dominated)
