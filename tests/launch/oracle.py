"""Fronts written from their definition, by brute force: what the fast code is held against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Vectors = Sequence[Sequence[float]] | npt.NDArray[np.float64]


def beats(vectors: Vectors, directions: Sequence[str], epsilon: float = 0.0) -> npt.NDArray[np.bool_]:
    """Whether member i dominates member j: no worse anywhere, better somewhere; whatever is finite beats a failure."""
    costs = np.array(vectors, dtype=float) * [-1.0 if direction == "max" else 1.0 for direction in directions]
    finite = np.isfinite(costs).all(axis=1)
    first, second = costs[:, None], costs[None]
    found = (first <= second + epsilon).all(axis=2) & (first < second - epsilon).any(axis=2)
    found[~finite] = False
    found[:, ~finite] = finite[:, None]
    return np.asarray(found)


def layers(vectors: Vectors, directions: Sequence[str]) -> list[int]:
    """Index of each member's front: those that nobody left dominates are taken away, again and again."""
    matrix = beats(vectors, directions)
    index = np.full(len(matrix), -1)
    level = 0
    while (index < 0).any():
        left = index < 0
        index[left & ~matrix[left].any(axis=0)] = level
        level += 1
    return [int(level) for level in index]


def must_stay(vectors: Vectors, directions: Sequence[str], eta: float) -> set[int]:
    """Members whose front, with all better ones, fits in the top 1/eta."""
    index, limit = np.array(layers(vectors, directions)), len(vectors) / eta
    finite = np.isfinite(np.asarray(vectors)).all(axis=1)
    return {i for i, level in enumerate(index) if finite[i] and (index <= level).sum() <= limit}


def must_go(vectors: Vectors, directions: Sequence[str], eta: float) -> set[int]:
    """Failures, and members with more than n/eta on better fronts."""
    index, limit = np.array(layers(vectors, directions)), len(vectors) / eta
    finite = np.isfinite(np.asarray(vectors)).all(axis=1)
    return {i for i, level in enumerate(index) if not finite[i] or (index < level).sum() > limit}
