"""Differences of bootstrap draws: values by hand, and draws without a value."""

import math

import numpy as np
import pytest

from analysis import compare
from groupdir.bootstrap.difference import Difference, difference_of_draws


def test_the_contract_has_the_same_difference() -> None:
    assert compare.Difference is Difference


def test_the_interval_holds_the_middle_of_the_draws() -> None:
    found = difference_of_draws(2.0, np.arange(-1.0, 100.0))  # -1, 0, ..., 99
    assert (found.value, found.low, found.high) == pytest.approx((2.0, -1 + 0.025 * 100, -1 + 0.975 * 100))
    assert found.p == pytest.approx(2 * (2 + 1) / (101 + 1)), "two draws are 0 or less"


def test_no_p_value_is_0_or_above_1() -> None:
    assert difference_of_draws(1.0, np.ones(99)).p == pytest.approx(2 / 100)
    assert difference_of_draws(0.0, np.zeros(99)).p == 1.0


def test_half_of_the_draws_must_be_defined() -> None:
    draws = np.array([1.0, 1.0, math.nan, math.inf, math.nan])
    assert math.isnan(difference_of_draws(1.0, draws).low)
    assert math.isnan(difference_of_draws(1.0, draws).p)
    assert difference_of_draws(1.0, draws[:4]) == Difference(1.0, 1.0, 1.0, pytest.approx(2 / 3))
