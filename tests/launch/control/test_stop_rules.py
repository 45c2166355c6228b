"""When a search has had enough."""

import math

import numpy as np
import pytest

from launch.control.stop_rules import relative_gain

OBJECTIVES = {"a": "min", "b": "max"}


def test_gain_by_hand() -> None:
    """In a from 0 to 10, b from 0 to 10; the reference a tenth beyond: (11, -1). One point (0, 10) covers all 121."""
    first = [[10.0, 0.0], [10.0, 9.0]]  # the second covers 1 times 10
    assert relative_gain([*first, [0.0, 10.0]], OBJECTIVES, 1) == pytest.approx(111 / 121)
    assert relative_gain([[0.0, 10.0], [10.0, 0.0]], OBJECTIVES, 1) == 0.0
    assert relative_gain([[0.0, 10.0], [10.0, 0.0], [5.0, 5.0]], OBJECTIVES, 2) == 0.0


def test_failures_gain_nothing() -> None:
    assert relative_gain([[math.nan, 1.0]], OBJECTIVES, 1) == 0.0
    assert relative_gain([[1.0, 1.0], [math.nan, 9.0]], OBJECTIVES, 1) == 0.0
    assert relative_gain([[math.nan, 1.0], [1.0, 1.0]], OBJECTIVES, 1) == 1.0


def test_equal_points_gain_nothing() -> None:
    assert relative_gain([[1.0, 1.0]] * 5, OBJECTIVES, 2) == 0.0


def test_a_constant_or_copied_objective_changes_no_gain() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        vectors = rng.integers(0, 6, (int(rng.integers(3, 12)), 2)).astype(float)
        last = int(rng.integers(1, len(vectors)))
        expected = relative_gain(vectors.tolist(), OBJECTIVES, last)
        constant = np.column_stack([vectors, np.full(len(vectors), 0.1 + 0.2)])
        copied = np.column_stack([vectors, 0.3 * vectors[:, 0] + 7.1])
        for wider in (constant, copied):
            assert relative_gain(wider.tolist(), OBJECTIVES | {"c": "min"}, last) == expected
