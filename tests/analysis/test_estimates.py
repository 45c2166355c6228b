import dataclasses
import math

import numpy as np
import pytest

from analysis.estimates import (
    estimates_of,
    failed_confirmations,
    metric_of,
    recorded_metrics,
    shot_metrics_of,
    shown_metrics,
)
from analysis.load import load_results
from groupdir.errors import DataError
from groupdir.metrics import metric_name
from groupdir.shots import ALL_AND_SHOTS
from tests.analysis.studies import MakeStudy, confirmed, study_of

FEW = "val_mae_few"


def test_all_trainings_of_a_configuration_count(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    values = estimates_of(study)
    finished = study.searched[study.searched["status"] == "finished"]
    assert values.trials == finished["trial"].tolist()
    first = values.configurations[0]
    assert [each.trial for each in first.trainings] == [0, 40, 41, 42]  # its trial and the unchanged ablations
    rows = study.trials.set_index("trial").loc[[0, 40, 41, 42], FEW]
    assert first.raw(FEW) == pytest.approx(rows.mean())
    assert {len(each.trainings) for each in values.configurations[1:]} == {1}
    more = estimates_of(confirmed(study, 3, [{FEW: 1.0}, None, {FEW: 2.0}]))
    assert len(more.configurations[more.index(3)].trainings) == 3


def test_estimates_are_built_once_and_not_for_a_changed_study(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    assert estimates_of(study) is estimates_of(study)
    assert estimates_of(study, include_stopped=True) is not estimates_of(study)
    assert estimates_of(dataclasses.replace(study)) is not estimates_of(study)


def test_stopped_trials_enter_when_asked(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    kept = study.searched[study.searched["status"].isin(["finished", "stopped"])]
    assert estimates_of(study, include_stopped=True).trials == kept["trial"].tolist()


def test_an_estimate_is_nearer_to_the_others_than_the_raw_value(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    few = estimates_of(study).of(FEW)
    assert np.ptp(few.mean) < np.ptp(few.raw)
    best = int(np.argmin(few.mean))
    low, high = few.interval
    assert low[best] < few.mean[best] < high[best]
    assert few.mean.min() > few.raw.min()


def test_two_trainings_have_raw_values_and_no_interval(make_study: MakeStudy) -> None:
    study = study_of(make_study, {FEW: [5.0, 6.0]}, {FEW: "min"})
    value = estimates_of(study).of(FEW).value(0)
    assert (value.mean, value.raw, value.trainings) == (5.0, 5.0, 1)
    assert math.isnan(value.low)


def test_a_duplicate_of_a_configuration_is_a_second_training_of_it(make_study: MakeStudy) -> None:
    study = study_of(make_study, {FEW: [5.0, 7.0, 6.0]}, {FEW: "min"})
    configs = {**study.configs, 2: {**study.configs[0], "seed": 99}}
    trials = study.trials.assign(
        seed=[99 if trial == 2 else seed for trial, seed in study.trials[["trial", "seed"]].values]
    )
    values = estimates_of(dataclasses.replace(study, configs=configs, trials=trials))
    assert values.trials == [0, 1]
    assert values.of(FEW).raw.tolist() == [5.5, 7.0]


def test_the_metric_of_a_rule_follows_the_objectives(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    trials = study.trials.assign(val_mse_all=1.0, val_mse_few=1.0, val_pearson_all=0.5)
    mse = dataclasses.replace(study, trials=trials, objectives={"val_mse_all": "min", "val_pearson_all": "max"})
    assert [metric_of(mse, shot) for shot in ("all", "few", "many")] == ["val_mse_all", "val_mse_few", "val_mae_many"]
    assert metric_of(study, "all") == "val_mae_all"
    assert shot_metrics_of(mse) == ["val_mse_all", "val_mae_many", "val_mae_median", "val_mse_few"]
    assert shown_metrics(mse)[:2] == ["val_mse_all", "val_pearson_all"]
    assert sorted(recorded_metrics(study)) == sorted(metric_name("val", "mae", shot) for shot in ALL_AND_SHOTS)


def test_failed_confirmations_are_counted_for_their_configuration(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    assert failed_confirmations(study) == {}
    study = confirmed(confirmed(study, 3, [{FEW: 1.0}, None, {FEW: 2.0}]), 6, [None])
    assert failed_confirmations(study) == {3: (1, 3), 6: (1, 1)}


def test_failed_confirmations_are_found_if_the_first_trial_of_the_configuration_failed(make_study: MakeStudy) -> None:
    """Trials 2 and 3 have one configuration, and trial 2 failed, so that trial 3 stands for it."""
    study = load_results(make_study())
    configs = {**study.configs, 2: {**study.configs[3], "seed": 77}}
    trials = study.trials.copy()
    trials.loc[trials["trial"] == 2, "status"] = "failed"
    study = confirmed(dataclasses.replace(study, trials=trials, configs=configs), 3, [None, {FEW: 1.0}])
    assert 3 in estimates_of(study).trials
    assert 2 not in estimates_of(study).trials
    assert failed_confirmations(study)[3] == (1, 2)


def test_a_configuration_that_the_footer_lacks(make_study: MakeStudy) -> None:
    study = dataclasses.replace(load_results(make_study()), configs={})
    with pytest.raises(DataError, match="the footer has no configuration of trial 0"):
        estimates_of(study)
