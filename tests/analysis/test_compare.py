"""Paired bootstrap: against exhaustive enumeration, by symmetry, by coverage on made-up noise, and on bad input."""

import itertools

import numpy as np
import pytest

from analysis.compare import paired_bootstrap

Y = np.array([0.0, 1.0, 2.0])


def mae(prediction: np.ndarray, target: np.ndarray) -> float:
    return float(np.abs(prediction - target).mean())


def test_the_interval_is_that_of_all_resamples() -> None:
    first, second = Y + np.array([[1.0, 2.0, 6.0]]), Y + np.array([[2.0, 1.0, 1.0]])
    every = [
        np.mean([abs(first[0, i] - Y[i]) - abs(second[0, i] - Y[i]) for i in samples])
        for samples in itertools.product(range(3), repeat=3)
    ]
    found = paired_bootstrap(Y, first, second, mae, draws=20_000)
    assert found.value == pytest.approx((9 - 4) / 3)
    assert (found.low, found.high) == (min(every), max(every)), "each of the 27 resamples has more than 2.5 %"
    assert found.p == pytest.approx(2 * np.mean(np.array(every) <= 0), abs=0.02)


def test_seeds_are_resampled_in_pairs() -> None:
    """Both configurations share the luck of a seed, so their difference has no spread."""
    luck = np.array([[0.0], [5.0], [9.0]])
    found = paired_bootstrap(Y, Y + 1 + luck, Y + 3 + luck, mae, draws=500)
    assert (found.value, found.low, found.high) == pytest.approx((-2, -2, -2))
    assert found.p == pytest.approx(2 / 501)
    alone = paired_bootstrap(Y, Y + 1 + luck, Y + 3 + luck[:2], mae, draws=500)
    assert alone.low < -5
    assert alone.high > 3


def test_the_order_of_the_two_changes_the_sign_only() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=40)
    first, second = y + rng.normal(size=(4, 40)), y + 0.8 * rng.normal(size=(4, 40))
    one, other = paired_bootstrap(y, first, second, mae, draws=400), paired_bootstrap(y, second, first, mae, draws=400)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert one.p == other.p
    assert paired_bootstrap(y, first, second, mae, draws=400) == one, "the seed decides every draw"


def test_equal_configurations_are_called_different_rarely() -> None:
    rng = np.random.default_rng(2)
    different = 0
    for _ in range(120):
        y = rng.normal(size=60)
        first, second = y + rng.normal(size=(8, 60)), y + rng.normal(size=(8, 60))
        found = paired_bootstrap(y, first, second, mae, draws=200)
        assert found.low <= found.value <= found.high
        different += not found.low <= 0 <= found.high
    assert different <= 18, "5 % are meant, a little more with 8 seeds; 18 of 120 is three standard deviations above"


@pytest.mark.parametrize(
    ("target", "first", "second", "says"),
    [
        ([[1.0]], [[1.0]], [[1.0]], r"target must have shape \(N,\)"),
        ([1.0, 2.0], [1.0, 2.0], [[1.0, 2.0]], r"first must have shape \(S, 2\)"),
        ([1.0, 2.0], [[1.0, 2.0]], [[1.0]], r"second must have shape \(S, 2\)"),
        ([1.0, 2.0], [[1.0, float("nan")]], [[1.0, 2.0]], "first must be finite, got 1"),
    ],
)
def test_wrong_arrays_are_refused(target: object, first: object, second: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        paired_bootstrap(target, first, second, mae)  # type: ignore[arg-type]


def test_a_metric_that_is_undefined_is_refused() -> None:
    with pytest.raises(ValueError, match="must be defined on the samples"):
        paired_bootstrap(Y, [Y], [Y], lambda prediction, target: float("nan"))
    with pytest.raises(ValueError, match=r"at least half of the draws, got \d+ of 100"):
        paired_bootstrap(Y, [Y], [Y], lambda p, t: 0.0 if np.array_equal(t, Y) else float("nan"), draws=100)
