"""Objectives that tell configurations apart, as opposed to constants and copies of other objectives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

ROUNDINGS = 16
"""Largest distance of two equal numbers after a few operations, in units of float64's rounding error."""


def telling(values: npt.ArrayLike) -> list[int]:
    """Return the columns that tell rows apart. The other columns must not change any decision.

    A column tells nothing if it is constant, or if it is an increasing affine function of an earlier column. Dominance
    ignores such a column by definition. A rule that measures distances or volumes must leave it out: a crowding
    distance gives the first and last member in each objective an infinite distance, also in a constant one, and a copy
    of an objective makes that objective count twice.

    Args:
        values: Objectives `(N, M)`. Rows with a value that is not finite are skipped.

    Returns:
        Indices of the columns, ascending. If no column tells rows apart, the first one, so that the list is never
        empty for M >= 1.

    Example:
        >>> telling([[1.0, 7.0, 3.0], [2.0, 7.0, 5.0], [4.0, 7.0, 9.0]])  # a constant, and 2 x + 1
        [0]
    """
    matrix = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(matrix)
    columns = np.ascontiguousarray((matrix if finite.all() else matrix[finite.all(axis=1)]).T)
    kept: list[int] = []
    shapes: list[tuple[npt.NDArray[np.float64], float]] = []
    for index, column in enumerate(columns):
        if not len(column):
            break
        low, high = float(column.min()), float(column.max())
        rounding = ROUNDINGS * float(np.finfo(np.float64).eps) * max(abs(low), abs(high))
        if high - low <= rounding:
            continue
        shape, unsure = _share(column, low, high), rounding / (high - low)
        if all(np.abs(shape - other).max() > unsure + other_unsure for other, other_unsure in shapes):
            kept.append(index)
            shapes.append((shape, unsure))
    return kept or list(range(min(1, matrix.shape[1])))


def _share(column: npt.NDArray[np.float64], low: float, high: float) -> npt.NDArray[np.float64]:
    """Return values on a scale from 0 to 1. Halves are subtracted, because the span of huge values is infinite."""
    return np.asarray((column / 2 - low / 2) / (high / 2 - low / 2))
