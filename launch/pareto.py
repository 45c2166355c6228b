"""Ranking by several objectives: non-dominated fronts, and the order within a front."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from groupdir.objectives import telling

Costs = npt.NDArray[np.float64]
TieBreak = Literal["crowding", "epsilon_net"]
Orders = Sequence[npt.NDArray[np.int64]]

DIGITS = 12
"""Decimals of the distances that a tie-break compares, so that equal distances are equal despite rounding errors."""


def as_costs(vectors: npt.ArrayLike, directions: Sequence[str]) -> Costs:
    """Return objectives as costs to be minimised. A row is infinite if one of its objectives is not finite.

    Args:
        vectors: Objectives `(N, M)`; NaN or an infinity is a failed measurement.
        directions: "min" or "max" for each of the M objectives.

    Raises:
        ValueError: If shapes do not fit, or a direction is neither "min" nor "max".
    """
    costs = np.atleast_2d(np.asarray(vectors, dtype=np.float64))
    if wrong := [direction for direction in directions if direction not in ("min", "max")]:
        raise ValueError(f"directions must be min or max, got {wrong[0]!r}")
    if costs.size == 0:
        costs = costs.reshape(0, len(directions))
    if costs.ndim != 2 or costs.shape[1] != len(directions):
        raise ValueError(f"vectors must be (N, {len(directions)}), one column per direction, got {costs.shape}")
    costs = costs * np.where(np.asarray(directions) == "max", -1.0, 1.0)
    costs[~np.isfinite(costs).all(axis=1)] = np.inf
    return costs


def dominates(first: Costs, second: Costs, epsilon: float | Costs = 0.0) -> npt.NDArray[np.bool_]:
    """Return whether `first` is better in some objective and worse in none, both by more than epsilon.

    Args:
        first: Costs with the objectives on the last axis.
        second: Costs that broadcast with `first`. Rows of infinities are failures, which all finite rows dominate.
        epsilon: Difference that counts as noise, in the units of each objective.

    Returns:
        Truth values, without the last axis.
    """
    objectives = first.shape[-1]
    each = np.broadcast_to(np.asarray(epsilon, dtype=np.float64), (objectives,)).tolist()
    shape = np.broadcast_shapes(first.shape, second.shape)[:-1]
    better, no_worse = np.zeros(shape, dtype=bool), np.ones(shape, dtype=bool)
    for column in range(objectives):  # numpy reduces a last axis of a few objectives slowly
        one, other = first[..., column], second[..., column]
        better |= one < other - each[column]
        no_worse &= one <= other + each[column]
    return np.asarray(better & no_worse)


def fronts(costs: Costs, epsilon: float | Costs = 0.0) -> npt.NDArray[np.int64]:
    """Return the index `(N,)` of each member's non-dominated front, from 0. Failures form the last front.

    With an epsilon, dominance is not transitive and can be circular. Members of a circle count as equal.

    Args:
        costs: From `as_costs`, `(N, M)`.
        epsilon: See `dominates`.
    """
    import moocore  # late, as is scipy: `--dry-run` compares nothing

    index = np.zeros(len(costs), dtype=np.int64)
    finite = np.isfinite(costs).all(axis=1)
    if finite.any():
        index[finite] = _peel(costs[finite], epsilon) if np.any(epsilon) else moocore.pareto_rank(costs[finite])
        index[~finite] = index[finite].max() + 1
    return index


def _peel(costs: Costs, epsilon: float | Costs) -> npt.NDArray[np.int64]:
    """Return front indices `(N,)` by removing front after front, with circles of dominance as single nodes."""
    from scipy.sparse.csgraph import connected_components

    beats = dominates(costs[:, None], costs[None], epsilon)
    count, circle = connected_components(beats, directed=True, connection="strong")
    between = np.zeros((count, count), dtype=bool)
    winners, losers = np.nonzero(beats)
    between[circle[winners], circle[losers]] = True
    np.fill_diagonal(between, False)
    front = np.full(count, -1, dtype=np.int64)
    for index in range(count):
        undominated = (front < 0) & ~between[front < 0].any(axis=0)
        if not undominated.any():
            break
        front[undominated] = index
    return front[circle]


def crowding_order(costs: Costs) -> npt.NDArray[np.int64]:
    """Return the indices of a front's members from the least to the most crowded.

    Of members with equal costs only the earliest counts; its copies come after all distinct members. Equal distances
    keep the order of arrival. An objective that is constant or a copy on the front does not count, see
    `groupdir.objectives.telling`.

    Source: Deb et al. 2002, "NSGA-II", section III-B, on objectives normalised by the front's range.
    """
    distinct, copies = _distinct(costs)
    return np.concatenate([distinct[np.argsort(-_crowding(costs[distinct]), kind="stable")], copies])


def _crowding(costs: Costs, orders: Orders | None = None) -> npt.NDArray[np.float64]:
    """Return the crowding distances of distinct members, in `DIGITS` decimals.

    Args:
        costs: Costs of the members.
        orders: Members in ascending order of each objective, if the caller knows them: sorting takes most of the time.
    """
    columns = telling(costs)
    points = _normalised(costs[:, columns])
    distance, gaps = np.zeros(len(points)), np.full(len(points), np.inf)
    for index, column in zip(columns, points.T, strict=True):
        order = _ascending(column, None if orders is None else orders[index])
        ordered = column[order]
        gaps[order[[0, -1]]] = np.inf
        gaps[order[1:-1]] = ordered[2:] - ordered[:-2]
        distance += gaps
    return np.asarray(distance.round(DIGITS))


def epsilon_net_order(costs: Costs) -> npt.NDArray[np.int64]:
    """Return the indices of a front's members in the order in which an epsilon-net picks them.

    The first pick is the member nearest to the best corner of the front. Each further pick is the member farthest from
    all earlier picks. Copies come last, as in `crowding_order`.

    Source: Salinas et al. 2021, "A multi-objective perspective on jointly tuning hardware and hyperparameters",
    section 3.2.
    """
    distinct, copies = _distinct(costs)
    points = _normalised(costs[distinct][:, telling(costs[distinct])])
    taken = [int(np.argmin(np.square(points).sum(axis=1).round(DIGITS)))]
    distance = np.full(len(points), np.inf)
    while len(taken) < len(points):
        distance = np.minimum(distance, np.square(points - points[taken[-1]]).sum(axis=1))
        distance[taken] = -1.0
        taken.append(int(np.argmax(distance.round(DIGITS))))
    return np.concatenate([distinct[taken], copies])


ORDERS: dict[TieBreak, Callable[[Costs], npt.NDArray[np.int64]]] = {
    "crowding": crowding_order,
    "epsilon_net": epsilon_net_order,
}


def is_among_first(costs: Costs, member: int, places: int, tie_break: TieBreak, orders: Orders | None = None) -> bool:
    """Return whether a member of a front is among the first in the order of a tie-break.

    Args:
        costs: Costs of the front's members.
        member: Index of the member.
        places: Number of members that are first.
        tie_break: "crowding" or "epsilon_net".
        orders: Members in ascending order of each objective, if the caller knows them.
    """
    if tie_break != "crowding":
        return member in order_by(tie_break)(costs)[:places]
    distinct, copies = _distinct(costs, orders)
    if member in copies:
        return member in np.concatenate([distinct, copies])[:places]
    distance = _crowding(costs[distinct]) if len(copies) else _crowding(costs, orders)
    at = int(np.searchsorted(distinct, member))
    before = (distance > distance[at]).sum() + (distance[:at] == distance[at]).sum()  # counting is faster than sorting
    return bool(before < places)


def rank(
    vectors: npt.ArrayLike,
    directions: Sequence[str],
    tie_break: TieBreak = "crowding",
    epsilon: float | Sequence[float] = 0.0,
) -> npt.NDArray[np.int64]:
    """Return the place `(N,)` of each member, 0 for the best: by front, and within a front by the tie-break.

    Args:
        vectors: Objectives `(N, M)` in the order of arrival. A row with NaN or an infinity has failed and comes last.
        directions: "min" or "max" for each objective.
        tie_break: "crowding" or "epsilon_net".
        epsilon: Difference that counts as noise, for all objectives or for each.

    Raises:
        ValueError: If shapes, directions or the tie-break are invalid.

    >>> rank([[1.0, 4.0], [2.0, 2.0], [4.0, 1.0], [3.0, 3.0], [float("nan"), 0.0]], ["min", "min"]).tolist()
    [0, 2, 1, 3, 4]
    """
    costs = as_costs(vectors, directions)
    index = fronts(costs, epsilon_of(epsilon, len(directions)))
    order = order_by(tie_break)
    places = np.empty(len(costs), dtype=np.int64)
    taken = 0
    for front in np.unique(index):
        members = np.flatnonzero(index == front)
        failed = not np.isfinite(costs[members[0], 0])
        places[members if failed else members[order(costs[members])]] = taken + np.arange(len(members))
        taken += len(members)
    return places


def order_by(tie_break: TieBreak) -> Callable[[Costs], npt.NDArray[np.int64]]:
    """Return the function of a tie-break."""
    if tie_break not in ORDERS:
        raise ValueError(f"tie_break must be one of {', '.join(get_args(TieBreak))}, got {tie_break!r}")
    return ORDERS[tie_break]


def epsilon_of(epsilon: float | Sequence[float], objectives: int) -> Costs:
    """Return one epsilon per objective."""
    each: Costs = np.broadcast_to(np.asarray(epsilon, dtype=np.float64), (objectives,))
    if not (np.isfinite(each).all() and (each >= 0).all()):
        raise ValueError(f"epsilon must be finite and >= 0, got {epsilon}")
    return each


def _ascending(values: Costs, order: npt.NDArray[np.int64] | None = None) -> npt.NDArray[np.int64]:
    """Return the indices of ascending values. Equal values keep their order, which numpy ensures only if it must.

    Args:
        values: The values.
        order: Indices of ascending values, if they are known, with any order of equal values.
    """
    order = np.argsort(values) if order is None else order
    ordered = values[order]
    return np.argsort(values, kind="stable") if (ordered[1:] == ordered[:-1]).any() else order


def _distinct(costs: Costs, orders: Orders | None = None) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the indices of the first of each group of equals, and those of the copies, in the order of arrival."""
    mask = np.ones(len(costs), dtype=bool)
    first = np.sort(costs[:, 0]) if orders is None else costs[orders[0], 0]
    if (first[1:] == first[:-1]).any():  # else no two members are equal
        mask[:] = False
        mask[np.unique(costs, axis=0, return_index=True)[1]] = True
    return np.flatnonzero(mask), np.flatnonzero(~mask)


def _normalised(costs: Costs) -> Costs:
    """Return the objectives, each from 0 for the best to 1 for the worst member."""
    columns = np.ascontiguousarray(costs.T)
    low, high = columns.min(axis=1, keepdims=True), columns.max(axis=1, keepdims=True)
    return np.asarray(((columns - low) / np.where(high > low, high - low, 1.0)).T)
