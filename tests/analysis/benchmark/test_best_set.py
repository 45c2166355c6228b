"""Methods that cannot be told from the best: the paired t-test for two, and the level for many."""

import numpy as np
import pytest
from scipy import stats

from analysis.benchmark.best_set import cannot_be_told_from_best


@pytest.mark.parametrize("seed", range(20))
def test_two_methods_are_compared_by_the_paired_t_test(seed: int) -> None:
    rng = np.random.default_rng(seed)
    costs = rng.normal(size=(5, 1)) + rng.normal(size=(5, 2)) * 0.2 + [0.0, 0.35]
    members = cannot_be_told_from_best(costs)
    different = stats.ttest_rel(costs[:, 0], costs[:, 1]).pvalue <= 0.05
    assert members.sum() == (1 if different else 2)
    assert members[np.argmin(costs.mean(axis=0))]


def test_a_range_by_hand() -> None:
    """Means 0, 0, 3; residual variance 1 / 3 with 4 degrees of freedom; range / error = 3 / (1 / 3) = 9 > q = 5.04."""
    costs = np.array([[1.0, -1.0, 3.0], [-0.5, 0.5, 3.0], [-0.5, 0.5, 3.0]])
    residual = np.square(costs - costs.mean(axis=0) - costs.mean(axis=1, keepdims=True) + costs.mean()).sum()
    assert residual == pytest.approx(3.0)
    q = stats.studentized_range.isf(0.05, 3, 4)
    assert q == pytest.approx(5.04, abs=0.01)
    assert cannot_be_told_from_best(costs).tolist() == [True, True, 3 / np.sqrt(residual / 4 / 3) <= q]


def test_what_a_block_does_to_all_methods_alike_does_not_count() -> None:
    rng = np.random.default_rng(0)
    costs = rng.normal(size=(6, 4)) + np.array([0, 0, 3, 6])
    moved = costs + 100 * rng.normal(size=(6, 1))
    assert cannot_be_told_from_best(costs).tolist() == cannot_be_told_from_best(moved).tolist()


@pytest.mark.parametrize("noise", [[0.2, 0.2], [0.2] * 6, [0.05] * 6 + [0.3] * 2])
def test_a_best_method_is_rarely_left_out(noise: list[float]) -> None:
    """At most 5 % in truth; of 300 tables at most 26 are then wrong with a probability of 99.7 %."""
    rng = np.random.default_rng(1)
    wrong = sum(not cannot_be_told_from_best(rng.normal(size=(5, len(noise))) * noise).all() for _ in range(300))
    assert wrong <= 26


def test_much_worse_methods_are_left_out() -> None:
    costs = np.random.default_rng(2).normal(size=(5, 30)) * 0.1 + np.linspace(0, 29, 30)
    assert cannot_be_told_from_best(costs).tolist() == [True] + [False] * 29


def test_equal_values_and_exact_differences() -> None:
    assert cannot_be_told_from_best(np.full((3, 4), 0.1)).all()
    assert cannot_be_told_from_best(np.array([[0.1, 0.3, 0.1]] * 3)).tolist() == [True, False, True]
    assert cannot_be_told_from_best(np.array([[1.0, 5.0]])).all(), "one block tells nothing"
