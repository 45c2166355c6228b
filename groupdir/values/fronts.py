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
    shape = (*costs.shape[:-1], costs.shape[-2])
    no_worse, better = np.ones(shape, dtype=bool), np.zeros(shape, dtype=bool)
    for metric in np.moveaxis(costs, -1, 0):  # numpy reduces a last axis of a few metrics slowly
        first, second = metric[..., :, None], metric[..., None, :]
        no_worse &= first <= second
        better |= first < second
    no_worse &= better
    dominated = np.any(no_worse, axis=-2)
    return np.asarray(np.isfinite(costs).all(axis=-1) & ~dominated)
