"""Values of a study's configurations, from trainings that are made by hand."""

import math

import numpy as np
import pytest

from groupdir.config.domains import Uniform
from groupdir.values.posterior import FEWEST
from groupdir.values.trainings import Training, configurations
from groupdir.values.values import Values
from groupdir.values.words import value_text

PARAMETERS = {"optim.lr": Uniform(0.0, 1.0)}


def values_of(metric: str, table: dict[float, list[float]]) -> Values:
    """Values of configurations, by their learning rate, with the metric of each training."""
    trainings = [
        Training(100 * index + seed, f"c{index}", seed, seed == 0, {"optim.lr": rate}, {metric: value})
        for index, (rate, row) in enumerate(table.items())
        for seed, value in enumerate(row)
    ]
    return Values(PARAMETERS, configurations(trainings))


def test_below_the_smallest_number_the_values_are_raw() -> None:
    values = values_of("val_mae_few", {0.1: [5.0, 7.0], 0.5: [4.0], 0.9: [math.nan]})
    few = values.of("val_mae_few")
    assert few.posterior is None
    assert few.mean[:2].tolist() == [6.0, 4.0]
    assert math.isnan(few.mean[2])
    assert few.trainings.tolist() == [2, 1, 0]
    one = few.value(1)
    assert (one.mean, one.raw, one.trainings) == (4.0, 4.0, 1)
    assert math.isnan(one.low)
    assert np.array_equal(few.samples[5], few.raw, equal_nan=True)


def test_a_configuration_without_a_value_stays_out() -> None:
    table = {0.05 + 0.1 * index: [3.0 + index % 3] for index in range(FEWEST + 1)} | {0.97: [math.nan, math.inf]}
    few = values_of("val_mae_few", table).of("val_mae_few")
    assert few.posterior is not None
    assert math.isnan(few.costs[-1])
    assert np.isnan(few.samples[:, -1]).all()
    assert np.isfinite(few.samples[:, :-1]).all()
    low, high = few.interval
    assert (low[:-1] < few.mean[:-1]).all()
    assert (few.mean[:-1] < high[:-1]).all()


def test_errors_are_modelled_by_their_roots_and_correlations_are_not() -> None:
    table = {0.1 * index: [1.0 + 0.1 * index] for index in range(8)}
    doubled = {rate: [2 * value for value in row] for rate, row in table.items()}
    one, two = (values_of("val_mae_few", each).of("val_mae_few") for each in (table, doubled))
    assert np.allclose(2 * one.mean, two.mean)
    assert np.allclose(one.slope(), 2 * np.sqrt(one.mean))
    pearson = values_of("val_pearson_all", {0.1 * index: [-0.2 + 0.1 * index] for index in range(8)})
    best = pearson.of("val_pearson_all")
    assert best.costs.argmin() == best.mean.argmax() == 7
    assert np.allclose(best.slope(), 1.0)
    low, high = best.interval
    assert (low <= best.mean).all()
    assert (best.mean <= high).all()


@pytest.mark.parametrize("diverged", [{0.95: [1e6]}, {0.91: [1e3], 0.93: [2e6], 0.95: [4e4], 0.97: [1e6]}])
def test_trainings_that_diverged_do_not_move_the_others(diverged: dict[float, list[float]]) -> None:
    table = {0.1 * index: [3.0 + 0.2 * (index % 4)] for index in range(9)}
    usual = values_of("val_mae_few", table).of("val_mae_few")
    wild = values_of("val_mae_few", table | diverged).of("val_mae_few")
    assert np.abs(wild.mean[: len(table)] / usual.mean - 1).max() < 0.15
    for own, (measured,) in zip(wild.mean[len(table) :], diverged.values(), strict=True):
        assert own > 0.5 * measured, "its own value stays what it is"


def test_constraints_are_judged_by_the_estimates() -> None:
    values = values_of("val_mae_all", {0.2: [3.0], 0.4: [5.0, 1.0], 0.6: [4.0]})
    kept = values.kept(lambda value: value("val_mae_all") <= 3.5)
    assert kept.tolist() == [0, 1], "the mean of 5 and 1 is 3"


def test_every_training_of_a_configuration_counts_once() -> None:
    same = {"optim.lr": 0.5}
    trainings = [
        Training(3, "a", 7, True, same, {"val_mae_all": 2.0}),
        Training(5, "a", 7, True, same, {"val_mae_all": 2.0}),
        Training(9, "a", 8, False, same, {"val_mae_all": 4.0}),
        Training(10, "b", 1, False, {}, {"val_mae_all": 1.0}),
    ]
    (only,) = configurations(trainings)
    assert (only.trial, len(only.trainings), only.confirmed, only.raw("val_mae_all")) == (3, 2, 1, 3.0)


def test_no_configuration_at_all() -> None:
    empty = Values(PARAMETERS, [])
    assert empty.trials == []
    assert empty.kept(lambda value: True).tolist() == []
    assert empty.of("val_mae_all").mean.tolist() == []


@pytest.mark.parametrize("metric", ["val_mae_few", "val_pearson_all"])
def test_trainings_that_are_all_zero_have_the_value_zero(metric: str) -> None:
    """The square of a root, and the noise of a model without noise, leave 4e-34 otherwise."""
    values = values_of(metric, {x / 8: [0.0] for x in range(8)}).of(metric)
    assert {float(number) for each in (values.mean, *values.interval) for number in each} == {0.0}
    assert value_text(values.value(3)) == "0 [0, 0]"
