"""When a search has had enough."""

import math

import pytest

from launch.control.stop_rules import relative_gain

OBJECTIVES = {"a": "min", "b": "max"}


def test_gain_by_hand() -> None:
    """In a from 0 to 10, b from 0 to 10; the reference a tenth beyond: (11, -1). One point (0, 10) covers all 121."""
    assert relative_gain([[10.0, 0.0], [0.0, 10.0]], OBJECTIVES, 1) == pytest.approx(120 / 121)
    assert relative_gain([[0.0, 10.0], [10.0, 0.0]], OBJECTIVES, 1) == 0.0
    assert relative_gain([[0.0, 10.0], [10.0, 0.0], [5.0, 5.0]], OBJECTIVES, 2) == 0.0


def test_failures_gain_nothing() -> None:
    assert relative_gain([[math.nan, 1.0]], OBJECTIVES, 1) == 0.0
    assert relative_gain([[1.0, 1.0], [math.nan, 9.0]], OBJECTIVES, 1) == 0.0
    assert relative_gain([[math.nan, 1.0], [1.0, 1.0]], OBJECTIVES, 1) == 1.0


def test_equal_points_gain_nothing() -> None:
    assert relative_gain([[1.0, 1.0]] * 5, OBJECTIVES, 2) == 0.0
