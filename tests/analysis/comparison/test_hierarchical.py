"""Hierarchical bootstrap: against loops by hand, against `paired_bootstrap`, and its coverage on made-up noise."""

import math

import numpy as np
import pytest

from analysis.compare import paired_bootstrap
from analysis.comparison.hierarchical import draw, interval, observed, resampled
from groupdir.metrics import METRICS

MAE = METRICS["mae"]


def test_with_one_seed_it_is_the_paired_bootstrap() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=30)
    predictions = y + rng.normal(size=(2, 1, 30))
    drawn = resampled(MAE, predictions, y, draw(30, 500, 7))
    value = float(np.subtract(*observed(MAE, predictions, y)[:, 0]))
    one = interval(value, drawn[:, 0] - drawn[:, 1], seed=1)
    other = paired_bootstrap(y, predictions[0], predictions[1], MAE.of, draws=500, seed=7)
    assert (one.value, one.low, one.high, one.p) == pytest.approx((other.value, other.low, other.high, other.p))


def test_it_is_the_loop_written_by_hand() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=12)
    predictions = y + rng.normal(size=(2, 3, 12))
    draws = 300
    samples_rng, t = np.random.default_rng(4), np.random.default_rng(9).standard_t(2, size=draws)
    values = []
    for row in range(draws):
        samples = samples_rng.integers(12, size=12)
        of_seeds = []
        for seed in range(3):
            first = sum(abs(predictions[0, seed, i] - y[i]) for i in samples) / 12
            second = sum(abs(predictions[1, seed, i] - y[i]) for i in samples) / 12
            of_seeds.append(first - second)
        mean = sum(of_seeds) / 3
        spread = math.sqrt(sum((value - mean) ** 2 for value in of_seeds) / 2)
        values.append(mean + t[row] * spread / math.sqrt(3))
    drawn = resampled(MAE, predictions, y, draw(12, draws, 4))
    difference = interval(0.5, drawn[:, 0] - drawn[:, 1], seed=9)
    assert difference.low == pytest.approx(np.quantile(values, 0.025))
    assert difference.high == pytest.approx(np.quantile(values, 0.975))
    rarer = min(sum(value <= 0 for value in values), sum(value >= 0 for value in values))
    assert difference.p == pytest.approx(min(1.0, 2 * (rarer + 1) / (draws + 1)))


def test_without_a_spread_over_samples_the_interval_is_student_s() -> None:
    """Three seeds 1, 2, 3 and no noise of samples: mean 2, standard error 1 / sqrt(3), t(2) = 4.303."""
    difference = interval(2.0, np.tile([1.0, 2.0, 3.0], (200_000, 1)), seed=0)
    assert difference.high - 2 == pytest.approx(4.303 / math.sqrt(3), rel=0.03)
    assert 2 - difference.low == pytest.approx(4.303 / math.sqrt(3), rel=0.03)
    assert difference.p == pytest.approx(0.0742, abs=0.004), "t = 2 / (1 / sqrt(3)) = 3.46 with 2 degrees of freedom"


def test_a_metric_that_is_undefined_in_most_draws_has_no_interval() -> None:
    differences = np.full((10, 2), math.nan)
    differences[:4] = 1.0
    assert math.isnan(interval(1.0, differences, seed=0).low)
    differences[:5] = 1.0
    assert interval(1.0, differences, seed=0).low == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3, 5, 10])
@pytest.mark.parametrize(("of_seeds", "of_samples"), [(1.0, 0.0), (0.2, 2.0)], ids=["seeds", "samples"])
def test_the_interval_covers_the_true_difference(seeds: int, of_seeds: float, of_samples: float) -> None:
    """Two methods are equal; their difference is noise of the seeds, of the samples, and of both together."""
    rng = np.random.default_rng(0)
    repeats, draws, samples, covered = 400, 1_000, 100, 0
    for _ in range(repeats):
        noise = of_seeds * rng.normal(size=(seeds, 1)) + of_samples * rng.normal(size=samples)
        noise = noise + rng.normal(size=(seeds, samples))
        counts = rng.multinomial(samples, np.full(samples, 1 / samples), size=draws)
        difference = interval(float(noise.mean()), counts @ noise.T / samples, seed=int(rng.integers(1 << 30)))
        covered += difference.low <= 0 <= difference.high
    assert covered / repeats >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / repeats), "at least 95 %, within three errors"
