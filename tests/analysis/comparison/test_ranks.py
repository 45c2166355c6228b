"""Critical difference against the published values, average ranks and Friedman's test against published examples."""

import math

import numpy as np
import pytest
from scipy.stats import friedmanchisquare

from analysis.comparison.ranks import average_ranks, critical_difference

# Demsar 2006, table 6: areas under the curve of C4.5, C4.5+m, C4.5+cf, C4.5+m+cf on 14 data sets.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975], [0.957, 0.978, 0.946, 0.970],
    ]
)  # fmt: skip


@pytest.mark.parametrize(
    ("methods", "q"),
    [(2, 1.960), (3, 2.343), (4, 2.569), (5, 2.728), (6, 2.850), (7, 2.949), (8, 3.031), (9, 3.102), (10, 3.164)],
)
def test_the_critical_values_are_the_published_ones(methods: int, q: float) -> None:
    """Demsar 2006, table 5a."""
    assert critical_difference(methods, 10) == pytest.approx(q * math.sqrt(methods * (methods + 1) / 60), abs=0.002)


def test_the_published_example() -> None:
    """Demsar 2006, section 3.2.2: average ranks 3.143, 2.000, 2.893, 1.964, chi-square 9.28, CD 1.25.

    The groups of figure 1b are for alpha .10; with the 1.25 of .05 all four are within one another's reach.
    """
    ranks = average_ranks(["C4.5", "m", "cf", "m+cf"], -DEMSAR)
    assert dict(zip(ranks.labels, ranks.ranks, strict=True)) == pytest.approx(
        {"C4.5": 3.143, "m": 2.000, "cf": 2.893, "m+cf": 1.964}, abs=0.001
    )
    assert ranks.critical == pytest.approx(1.25, abs=0.005)
    assert ranks.p == friedmanchisquare(*DEMSAR.T).pvalue
    assert ranks.alike == (("m+cf", "m", "cf", "C4.5"),)


def test_groups_are_the_longest_runs() -> None:
    costs = np.tile([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], (30, 1))
    ranks = average_ranks(list("abcdef"), costs)
    assert ranks.critical == pytest.approx(1.38, abs=0.01)
    assert ranks.alike == (("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "f"))
    assert average_ranks(["b", "a"], [[2.0, 1.0]] * 10).alike == ()


def test_equal_configurations_share_their_rank() -> None:
    ranks = average_ranks(["a", "b", "c"], np.ones((4, 3)))
    assert ranks.ranks == (2, 2, 2)
    assert ranks.p == 1
    assert ranks.alike == (("a", "b", "c"),)
    assert math.isnan(average_ranks(["a", "b"], [[1.0, 2.0], [2.0, 1.0]]).p)
