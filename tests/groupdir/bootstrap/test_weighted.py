"""Metrics of weighted samples: against the metric itself on the resample that the weights stand for."""

import math

import numpy as np
import pytest

from groupdir.bootstrap.weighted import WEIGHTED, weighted_values
from groupdir.metrics import METRICS, Metric

VALUES = [name for name, metric in METRICS.items() if metric.compares == "values"]


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("samples", [1, 2, 7, 40])
def test_a_weighted_metric_is_that_of_the_resample(name: str, samples: int) -> None:
    rng = np.random.default_rng(samples)
    target = rng.integers(0, 5, size=samples).astype(np.float64)
    predictions = target + rng.normal(size=(3, samples))
    predictions[0, 0] = target[0]  # an exact prediction
    counts = rng.multinomial(samples, np.full(samples, 1 / samples), size=50)
    values = weighted_values(METRICS[name], predictions, target, counts)
    for row, count in zip(values, counts, strict=True):
        rows = np.repeat(np.arange(samples), count)
        expected = [METRICS[name].of(prediction[rows], target[rows]) for prediction in predictions]
        np.testing.assert_allclose(row, expected, rtol=1e-9, atol=1e-9)


def test_every_fast_form_belongs_to_a_metric() -> None:
    assert set(WEIGHTED) <= {METRICS[name].compute for name in VALUES}


def test_a_metric_without_a_fast_form_is_computed_resample_by_resample() -> None:
    metric = Metric("worst", "min", "largest error", "label units", lambda p, y: float(np.abs(p - y).max()))
    counts = np.array([[2, 0], [0, 2], [1, 1]])
    values = weighted_values(metric, np.array([[1.0, 3.0]]), np.zeros(2), counts)
    assert values[:, 0].tolist() == [1.0, 3.0, 3.0]


def test_large_and_constant_values_do_not_spoil_a_correlation() -> None:
    target = np.array([1.0, 2.0, 3.0])
    predictions = np.array([1e12 * target, [5.0, 5.0, 5.0]])
    values = weighted_values(METRICS["pearson"], predictions, target, np.array([[1, 1, 1], [3, 0, 0]]))
    assert values[0, 0] == pytest.approx(1)
    assert all(math.isnan(value) for value in (values[0, 1], values[1, 0], values[1, 1]))
