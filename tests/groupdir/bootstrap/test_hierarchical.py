"""Hierarchical bootstrap: against loops by hand, against `paired_bootstrap`, and its coverage on made-up noise."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.compare import paired_bootstrap
from groupdir.bootstrap import hierarchical
from groupdir.bootstrap.hierarchical import interval, resample, student
from groupdir.metrics import METRICS

MAE = METRICS["mae"]


def test_with_one_seed_it_is_the_paired_bootstrap() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=30)
    predictions = y + rng.normal(size=(2, 1, 30))
    one = resample([MAE], predictions, y, draws=500, seed=7)["mae"].difference(0, 1)
    other = paired_bootstrap(y, predictions[0], predictions[1], MAE.of, draws=500, seed=7)
    assert (one.value, one.low, one.high, one.p) == pytest.approx((other.value, other.low, other.high, other.p))


def test_it_is_the_loop_written_by_hand() -> None:
    rng = np.random.default_rng(1)
    y = rng.normal(size=12)
    predictions = y + rng.normal(size=(2, 3, 12))
    draws = 300
    samples_rng, t = np.random.default_rng(4), student(2, draws, 5)
    values, every = [], []
    for row in range(draws):
        samples = samples_rng.integers(12, size=12)
        of_seeds = []
        for seed in range(3):
            first = sum(abs(predictions[0, seed, i] - y[i]) for i in samples) / 12
            second = sum(abs(predictions[1, seed, i] - y[i]) for i in samples) / 12
            of_seeds.append(first - second)
        every.append(of_seeds)
        mean = sum(of_seeds) / 3
        spread = math.sqrt(sum((value - mean) ** 2 for value in of_seeds) / 2)
        values.append(mean + t[row] * spread / math.sqrt(3))
    values_of = resample([MAE], predictions, y, draws=draws, seed=4)["mae"]
    np.testing.assert_allclose(values_of.drawn[:, 0] - values_of.drawn[:, 1], every)
    difference = values_of.difference(0, 1)
    assert difference.value == pytest.approx(np.abs(predictions[0] - y).mean() - np.abs(predictions[1] - y).mean())
    assert difference.low == pytest.approx(np.quantile(values, 0.025))
    assert difference.high == pytest.approx(np.quantile(values, 0.975))
    rarer = min(sum(value <= 0 for value in values), sum(value >= 0 for value in values))
    assert difference.p == pytest.approx(min(1.0, 2 * (rarer + 1) / (draws + 1)))


def test_parts_of_the_draws_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    y = rng.integers(5, size=40).astype(np.float64)
    predictions = y + rng.normal(size=(3, 2, 40))
    metrics, advanced = [metric for metric in METRICS.values() if metric.compares == "values"], []
    whole = resample(metrics, predictions, y, draws=100)
    monkeypatch.setattr(hierarchical, "CELLS", 40 * 30)
    parts = resample(metrics, predictions, y, draws=100, advance=advanced.append)
    assert advanced == [30, 30, 30, 10]
    for name, values in whole.items():
        assert values.drawn.shape == (100, 3, 2)
        np.testing.assert_allclose(parts[name].drawn, values.drawn, rtol=1e-12)


def test_draws_of_student_s_t_have_its_quantiles() -> None:
    values = student(4, 1_000, 3)
    assert np.sort(values) == pytest.approx(stats.t(4).ppf((np.arange(1_000) + 0.5) / 1_000))
    assert (values != np.sort(values)).any(), "they are in random order"
    assert (values != student(4, 1_000, 4)).any()


def test_other_draws_hardly_change_an_interval() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=200)
    predictions = y + rng.normal(size=(2, 1, 200)) + 0.3 * rng.normal(size=(2, 5, 200))
    found = [resample([MAE], predictions, y, seed=2 * seed)["mae"].difference(0, 1) for seed in range(5)]
    width = found[0].high - found[0].low
    for ends in ([each.low for each in found], [each.high for each in found]):
        assert np.ptp(ends) < 0.04 * width


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
