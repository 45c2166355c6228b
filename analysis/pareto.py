"""Pareto front and hypervolume of points, computed by moocore."""

from __future__ import annotations

import moocore
import numpy as np
import numpy.typing as npt


def pareto_front(costs: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Mark the points that no other point dominates. All costs are minimised.

    A point dominates another if no cost is higher and at least one is lower. Equal points do not dominate each other,
    so all of them can be on the front. A point with a NaN is never on the front and dominates nothing. Infinities are
    compared as numbers.

    Args:
        costs: Costs `(n, m)`, one row per point.

    Returns:
        Flags `(n,)`, True for points on the front.

    Raises:
        ValueError: If `costs` is not a matrix or has no column.

    Example:
        >>> pareto_front([[1, 3], [2, 2], [2, 2], [3, 3]]).tolist()
        [True, True, True, False]
    """
    points = _matrix(costs)
    front: npt.NDArray[np.bool_] = np.logical_not(np.isnan(points).any(axis=1))
    if front.any():
        # Ranks dominate each other exactly as the values do. moocore misjudges infinities in three or more objectives.
        ranks = [np.unique(column, return_inverse=True)[1] for column in points[front].T]
        front[front] = moocore.is_nondominated(np.column_stack(ranks).astype(np.float64), keep_weakly=True)
    return front


def hypervolume(costs: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Return the volume between the points and a reference point. All costs are minimised.

    Args:
        costs: Costs `(n, m)`. Points with a NaN, and points that are not below the reference in every cost, contribute
            nothing.
        reference: Reference point `(m,)`, finite and worse than all points of interest.

    Returns:
        Volume, 0 without points. It is infinite if a point below the reference has a cost of minus infinity.

    Raises:
        ValueError: If the shapes do not match or the reference is not finite.

    Example:
        >>> hypervolume([[0, 1], [1, 0]], [2, 2])
        3.0
    """
    points, corner = _matrix(costs), np.asarray(reference, dtype=np.float64)
    if corner.shape != points.shape[1:]:
        raise ValueError(f"reference must have shape ({points.shape[1]},) as costs have, got {corner.shape}")
    if not np.isfinite(corner).all():
        raise ValueError(f"reference must be finite, got {corner.tolist()}")
    inside = points[(points < corner).all(axis=1)]
    if not len(inside):
        return 0.0
    if np.isneginf(inside).any():
        return float("inf")
    return float(moocore.hypervolume(inside, ref=corner))


def _matrix(costs: npt.ArrayLike) -> npt.NDArray[np.float64]:
    points = np.asarray(costs, dtype=np.float64)
    if points.ndim != 2 or (len(points) and not points.shape[1]):
        raise ValueError(f"costs must have shape (n, m) with m >= 1, got {points.shape}")
    return points
