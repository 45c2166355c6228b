import math
from typing import Any

import pytest

from groupdir.study.state import TrialState
from groupdir.values.trainings import Configuration, Training, configurations, training_of


def training(trial: int, configuration: str, seed: int, searched: bool = True, **metrics: float) -> Training:
    return Training(trial, configuration, seed, searched, {"x": trial}, metrics)


def test_trainings_of_one_configuration_are_grouped_by_its_first_trial() -> None:
    groups = configurations(
        [
            training(7, "a", 70, searched=False),
            training(3, "a", 30),
            training(1, "b", 10),
            training(2, "a", 20),
        ]
    )
    assert [(each.trial, each.params, [one.trial for one in each.trainings]) for each in groups] == [
        (1, {"x": 1}, [1]),
        (2, {"x": 2}, [2, 3, 7]),
    ]
    assert [each.confirmed for each in groups] == [0, 1]


def test_the_search_comes_first_even_if_its_trial_has_a_higher_number() -> None:
    (group,) = configurations([training(2, "a", 1, searched=False), training(5, "a", 2)])
    assert (group.trial, [each.trial for each in group.trainings]) == (5, [5, 2])


def test_a_second_training_with_the_same_seed_is_skipped() -> None:
    (group,) = configurations([training(4, "a", 9), training(1, "a", 9), training(8, "a", 9, searched=False)])
    assert [each.trial for each in group.trainings] == [1]


def test_a_configuration_that_the_search_never_tried_is_left_out() -> None:
    assert configurations([training(1, "changed", 1, searched=False)]) == []
    assert configurations([]) == []


def test_the_raw_value_is_the_mean_of_the_finite_values() -> None:
    group = Configuration(
        0, {}, (training(0, "a", 0, m=1.0), training(1, "a", 1, m=math.nan), training(2, "a", 2, m=4.0))
    )
    assert group.raw("m") == 2.5
    assert math.isnan(group.raw("other"))
    assert math.isnan(Configuration(0, {}, ()).raw("m"))


@pytest.mark.parametrize(("role", "searched"), [("search", True), ("confirmation", False), ("ablation", False)])
def test_a_trial_becomes_a_training_at_its_selected_epoch(role: Any, searched: bool) -> None:
    config = {"seed": 5, "train": {"keep": "best"}, "method": {"name": "vanilla"}}
    trial = TrialState(3, 5, role, "", {"x": 1}, config, "d", "val_mae_all")
    place = {"stage": "fit", "predicts": True, "seconds": 1.0, "last": False}
    for epoch, value in enumerate([3.0, 1.0, 2.0], 1):
        trial.add({"epoch": epoch, "stage_epoch": epoch, "fidelity": epoch, **place, "val_mae_all": value})
    other = TrialState(4, 6, "search", "", {}, {**config, "seed": 6, "stage_seed": 1}, "e", "val_mae_all")
    made = training_of(trial)
    assert (made.trial, made.seed, made.searched, made.params) == (3, 5, searched, {"x": 1})
    assert made.metrics == {"val_mae_all": 1.0}
    assert made.configuration == other.configuration
