"""Signed ranks against all sign patterns, Holm against the definition and an example with a known answer."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import false_discovery_control, ttest_rel, wilcoxon

from analysis.comparison.signed_ranks import FEWEST_REPLICATIONS, signed_ranks
from groupdir.bootstrap.verdict import holm


@pytest.mark.parametrize("n", [2, 5, 6, 9])
def test_the_p_value_counts_sign_patterns(n: int) -> None:
    """Without ties, every pattern of signs is equally likely: count those whose rank sum is as far from its mean."""
    differences = np.random.default_rng(n).normal(0.4, 1, size=n)
    order = sorted(range(n), key=lambda i: abs(differences[i]))
    rank = {index: place + 1 for place, index in enumerate(order)}
    positive = sum(rank[i] for i in range(n) if differences[i] > 0)
    center = n * (n + 1) / 4
    patterns = [sum(r + 1 for r in range(n) if signs[r]) for signs in itertools.product([0, 1], repeat=n)]
    extreme = sum(abs(total - center) >= abs(positive - center) for total in patterns)
    result = signed_ranks(differences)
    assert result.p == pytest.approx(extreme / 2**n)
    assert result.p == wilcoxon(differences).pvalue
    negative = n * (n + 1) / 2 - positive
    assert result.rank_biserial == pytest.approx((positive - negative) / (n * (n + 1) / 2))


def test_the_effect_is_that_of_the_paired_t_test() -> None:
    first, second = np.random.default_rng(0).normal(size=(2, 8))
    assert signed_ranks(first - second).effect == pytest.approx(ttest_rel(first, second).statistic / math.sqrt(8))


def test_six_replications_are_the_fewest_for_a_small_p_value() -> None:
    assert signed_ranks(range(1, FEWEST_REPLICATIONS + 1)).p < 0.05
    assert signed_ranks(range(1, FEWEST_REPLICATIONS)).p > 0.05


def test_equal_and_too_few_values() -> None:
    same = signed_ranks([0.0, 0.0, 0.0])
    assert same.p == 1
    assert math.isnan(same.effect)
    assert math.isnan(same.rank_biserial)
    constant = signed_ranks([2.0, 2.0, 2.0])
    assert math.isnan(constant.effect)
    assert constant.rank_biserial == 1
    assert all(math.isnan(value) for value in (signed_ranks([1.0]).p, signed_ranks([1.0, math.nan]).p))


def test_holm_is_the_definition() -> None:
    """Wright 1992: .01, .02, .03, .04 become .04, .06, .06, .06."""
    assert holm([0.03, 0.01, 0.04, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    p = np.random.default_rng(0).uniform(size=9)
    slow = [max(min(1, (9 - sum(p < q)) * q) for q in p if q <= value) for value in p]
    assert holm(p.tolist()) == pytest.approx(slow)
    assert (np.array(holm(p.tolist())) >= false_discovery_control(p)).all(), "stricter than Benjamini and Hochberg"


def test_holm_leaves_out_what_was_not_tested() -> None:
    assert holm([0.02, math.nan]) == pytest.approx([0.02, math.nan], nan_ok=True)
    assert holm([]) == []
