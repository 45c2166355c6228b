import dataclasses

import numpy as np
import pytest

from analysis.estimates import estimates_of, shown_metrics
from analysis.front import estimated_rows, find_front, front_table, value_of
from analysis.load import load_results
from analysis.pareto import pareto_front
from groupdir.errors import DataError
from groupdir.files.study_files import HIGH, LOW, MEAN, ON_FRONT, TRAININGS
from tests.analysis.studies import MakeStudy, confirmed, study_of

MANY, FEW = "val_mae_many", "val_mae_few"


def test_the_front_is_that_of_the_estimates(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    front, values = find_front(study), estimates_of(study)
    assert set(front["status"]) == {"finished"}
    assert set(front["role"]) == {"search"}
    points = np.stack([values.of(metric).mean for metric in study.objectives], axis=1)
    best = [not ((points <= row).all(axis=1) & (points < row).any(axis=1)).any() for row in points]
    assert sorted(front["trial"]) == np.array(values.trials)[best].tolist()
    assert front[MEAN + MANY].is_monotonic_increasing


def test_rows_hold_the_raw_values_and_the_estimates(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    rows, values = estimated_rows(study), estimates_of(study)
    assert rows["trial"].tolist() == values.trials
    assert estimated_rows(study) is rows
    raw = study.trials.set_index("trial").loc[values.trials]
    for metric in shown_metrics(study):
        assert rows[metric].tolist() == raw[metric].tolist()
        low, high = values.of(metric).interval
        assert rows[[LOW + metric, MEAN + metric, HIGH + metric]].to_numpy() == pytest.approx(
            np.stack([low, values.of(metric).mean, high], axis=1)
        )
    assert rows[TRAININGS].tolist() == [4] + [1] * (len(rows) - 1)
    assert rows[ON_FRONT].between(0, 1).all()
    front = rows["trial"].isin(find_front(study)["trial"])
    assert rows[ON_FRONT][front].mean() > rows[ON_FRONT][~front].mean()


def test_a_lucky_trial_leaves_the_front_when_it_is_confirmed_to_be_bad(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    study = dataclasses.replace(study, objectives={FEW: "min"})
    lucky = int(find_front(study)["trial"].iloc[0])
    worse = float(study.trials[FEW].max())
    after = find_front(confirmed(study, lucky, [{FEW: worse}] * 5))
    assert lucky not in set(after["trial"])


def test_stopped_trials_enter_when_asked(make_study: MakeStudy) -> None:
    study = study_of(make_study, {FEW: [5.0, 6.0]}, {FEW: "min"})
    assert find_front(study)["trial"].tolist() == [0]
    assert 0.0 in find_front(study, include_stopped=True)[FEW].tolist()


def test_what_is_maximised_is_turned_around(make_study: MakeStudy) -> None:
    values = {"val_mse_all": [1.0, 2.0, 2.0], "val_pearson_all": [0.5, 0.9, 0.4]}
    study = study_of(make_study, values, {"val_mse_all": "min", "val_pearson_all": "max"})
    assert find_front(study)["trial"].tolist() == [0, 1]
    first = study_of(lambda **options: make_study("p", **options), values, {"val_pearson_all": "max"})
    assert find_front(first)["trial"].tolist() == [1]


def test_equal_trainings_are_all_on_the_front(make_study: MakeStudy) -> None:
    study = study_of(make_study, {MANY: [2.0] * 6, FEW: [3.0] * 6}, {MANY: "min", FEW: "min"})
    front = find_front(study)
    assert front["trial"].tolist() == list(range(6))
    assert front[MEAN + FEW].to_numpy() == pytest.approx(3.0)


def test_a_trial_without_a_value_of_an_objective_is_not_on_the_front(make_study: MakeStudy) -> None:
    study = study_of(make_study, {MANY: [1.0, 2.0], FEW: [np.nan, 2.0]}, {MANY: "min", FEW: "min"})
    assert find_front(study)["trial"].tolist() == [1]


def test_nothing_finished_is_said_with_counts(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    trials = study.trials.assign(status=["running"] * 2 + ["stopped"] * (len(study.trials) - 2))
    unfinished = dataclasses.replace(study, trials=trials)
    with pytest.raises(DataError, match=r"no trial is finished \(trials: 38 stopped, 2 running\).*groupdir resume"):
        find_front(unfinished)
    nothing = study_of(lambda **options: make_study("nan", **options), {FEW: [np.nan]}, {FEW: "min"})
    with pytest.raises(DataError, match="no trial has a value for every objective"):
        find_front(nothing)


def test_the_table_says_seeds_in_words_and_shows_intervals(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    front = find_front(study)
    header, rows = front_table(study, front)
    assert header[:2] == ["trial", "seeds"]
    assert header[5:] == ["on front", *study.param_names]
    for row, (_, data) in zip(rows, front.iterrows(), strict=True):
        assert row[1] == ("one" if data[TRAININGS] == 1 else str(data[TRAININGS]))
        assert row[2].startswith(f"{value_of(data, MANY).mean:.2f} [")
        assert row[5].endswith(" %")
    small = study_of(lambda **options: make_study("two", **options), {FEW: [5.0, 4.0]}, {FEW: "min"})
    assert front_table(small, find_front(small))[1][0][:4] == ["1", "one", "4.00", "-"]


def test_the_front_is_a_front(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    means = find_front(study)[[MEAN + metric for metric in study.objectives]].to_numpy()
    assert pareto_front(means).all()


@pytest.mark.parametrize("copy", [False, True])
def test_a_constant_or_copied_objective_changes_no_front(make_study: MakeStudy, copy: bool) -> None:
    """The estimates of a copy with another offset differ, because errors are modelled by their roots."""
    rng = np.random.default_rng(0)
    many, few = rng.uniform(0.2, 3, 20), rng.uniform(0.2, 3, 20)
    other = few + 40 if copy else np.full(20, 7.0)
    plain = study_of(make_study, {MANY: list(many), FEW: list(few)}, {MANY: "min", FEW: "min"})
    column = [*other, *[0.0] * (len(plain.trials) - 20)]
    trials = plain.trials.assign(val_gm_few=column)
    wider = dataclasses.replace(plain, trials=trials, objectives={**plain.objectives, "val_gm_few": "min"})
    one, two = find_front(plain), find_front(wider)
    assert one["trial"].tolist() == two["trial"].tolist()
    assert one[ON_FRONT].tolist() == two[ON_FRONT].tolist()
