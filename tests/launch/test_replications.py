"""Replications for a difference: power against a simulation, and the number of blocks against a search by hand."""

import numpy as np
import pytest
from scipy import stats

from groupdir.errors import ConfigError
from launch.replications import (
    detectable_difference,
    least_significant_difference,
    noise_between_blocks,
    power_of,
    replications_for,
)


@pytest.mark.parametrize(("difference", "noise", "replications"), [(0.3, 0.183, 5), (0.2, 0.183, 11), (0.0, 1.0, 3)])
def test_power_is_the_share_of_paired_t_tests(difference: float, noise: float, replications: int) -> None:
    rng = np.random.default_rng(0)
    shape = (20_000, replications)
    first, second = rng.normal(0, noise, shape), rng.normal(difference, noise, shape)
    share = (stats.ttest_rel(first, second, axis=1).pvalue <= 0.05).mean()
    assert power_of(difference, noise, replications) == pytest.approx(share, abs=0.012)


def test_the_noise_leaves_out_what_a_block_does_to_all_rows() -> None:
    rng = np.random.default_rng(0)
    blocks = 10 * rng.normal(size=(2000, 1))
    assert noise_between_blocks(rng.normal(0, 0.2, (2000, 3)) + blocks + [1, 2, 3]) == pytest.approx(0.2, rel=0.05)
    assert noise_between_blocks(np.array([[1.0, 2.0], [3.0, 4.0]])) == pytest.approx(0)


def test_a_difference_at_the_edge_is_significant_in_half_of_the_benchmarks() -> None:
    assert power_of(least_significant_difference(0.5, 40), 0.5, 40) == pytest.approx(0.5, abs=0.02)
    assert power_of(detectable_difference(0.5, 7), 0.5, 7) == pytest.approx(0.8)
    assert detectable_difference(0.0, 5) == 0


@pytest.mark.parametrize("difference", [0.05, 0.3, 2.0])
def test_the_number_of_replications_is_the_smallest(difference: float) -> None:
    count = replications_for(difference, 0.183)
    assert power_of(difference, 0.183, count) >= 0.8
    assert count == 2 or power_of(difference, 0.183, count - 1) < 0.8


def test_a_difference_that_is_too_small_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--detect 1e-05: needs more than 10,000 replications"):
        replications_for(1e-5, 0.2)
