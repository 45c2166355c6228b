import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import yaml

from analysis.estimates import estimates_of
from analysis.load import StudyResults, load_results
from analysis.select import candidates_of, choices, choose, select_config
from groupdir.errors import DataError
from groupdir.files.parquet import read_parquet
from groupdir.files.study_files import MEAN, ON_FRONT, TRAININGS
from groupdir.rules import RULES
from groupdir.values.words import value_text
from tests.analysis.studies import MakeStudy, confirmed, study_of

MANY, FEW, ALL = "val_mae_many", "val_mae_few", "val_mae_all"


def chosen(study: StudyResults, rule: str, **options: object) -> int:
    values = estimates_of(study)
    return values.trials[choose(study, rule, **options).index]  # type: ignore[arg-type]


@pytest.mark.parametrize("rule", ["many", "median", "few", "all"])
def test_a_shot_takes_the_best_estimate(make_study: MakeStudy, rule: str) -> None:
    study = load_results(make_study())
    values = estimates_of(study)
    assert chosen(study, rule) == values.trials[int(np.argmin(values.of(f"val_mae_{rule}").mean))]


def test_a_lucky_trial_is_not_chosen_after_its_confirmation(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    lucky = chosen(study, "few")
    worst = float(study.trials[FEW].max())
    assert chosen(confirmed(study, lucky, [{FEW: worst}] * 5), "few") != lucky
    best = float(study.trials[FEW].min())
    assert chosen(confirmed(study, lucky, [{FEW: best}] * 5), "few") == lucky


def test_with_few_trainings_the_raw_values_decide(make_study: MakeStudy) -> None:
    study = study_of(make_study, {FEW: [5.0, 4.0], ALL: [1.0, 2.0]}, {FEW: "min"})
    choice = choose(study, "few")
    assert (choice.index, choice.candidates, choice.rivals) == (1, 2, ())
    assert math.isnan(choice.chance)


def test_a_tolerance_narrows_the_choice(make_study: MakeStudy) -> None:
    study = study_of(make_study, {FEW: [5.0, 4.0, 3.0], ALL: [1.0, 1.01, 1.5], MANY: [1, 2, 3]}, {FEW: "min"})
    assert chosen(study, "few") == 2
    assert chosen(study, "few", tolerances={ALL: 0.02}) == 1
    assert chosen(study, "few", tolerances={ALL: 0.02, MANY: 0.5}) == 0
    assert candidates_of(study, {ALL: 0.02}).tolist() == [0, 1]


def test_tolerances_that_cannot_be_met(make_study: MakeStudy) -> None:
    study = study_of(make_study, {FEW: [5.0, 4.0], ALL: [1.0, 2.0], MANY: [math.nan] * 2}, {FEW: "min"})
    with pytest.raises(DataError, match="--within: unknown metric 'val_mae_al': did you mean 'val_mae_all'"):
        choose(study, "few", {"val_mae_al": 0.1})
    study.trials["train_loss"] = 1.0
    with pytest.raises(DataError, match="--within: unknown metric 'train_loss'"):
        choose(study, "few", {"train_loss": 0.1})
    with pytest.raises(DataError, match="--within val_mae_many: no finished trial has a value"):
        choose(study, "few", {MANY: 0.1})
    with pytest.raises(
        DataError,
        match="no configuration has val_mae_all within 2 % of the best and val_mae_few within 1 % of the best: raise",
    ):
        choose(study, "few", {ALL: 0.02, FEW: 0.01})


def test_a_rule_without_values_and_a_rule_that_does_not_exist(make_study: MakeStudy) -> None:
    study = study_of(make_study, {ALL: [1.0], FEW: [np.nan]}, {ALL: "min"})
    with pytest.raises(DataError, match="rule few cannot choose: no finished trial has a finite val_mae_few"):
        choose(study, "few")
    with pytest.raises(ValueError, match="unknown rule"):
        choose(study, "best")
    assert set(choices(study)) == {"many", "median", "all", "knee"}


def test_a_shot_that_some_trials_lack(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    trials = study.trials.copy()
    trials.loc[trials["trial"] % 2 == 0, FEW] = np.nan
    study = dataclasses.replace(study, trials=trials, objectives={ALL: "min"})
    assert chosen(study, "few") % 2 == 1
    assert select_config(study, "few").choice.candidates < len(estimates_of(study).configurations)


def test_the_yaml_is_the_footers_configuration(make_study: MakeStudy) -> None:
    folder = make_study(name="a: {name: [not yaml")
    study = load_results(folder)
    for rule in RULES:
        selection = select_config(study, rule)
        text = selection.file.read_text()
        assert selection.file == folder / f"best_{rule}.yaml"
        assert yaml.safe_load(text) == read_parquet(folder / "trials.parquet")[1]["configs"][str(selection.trial)]
        assert list(yaml.safe_load(text))[:3] == ["seed", "stage_seed", "data"]  # in the configuration's order
        header = dict(line[2:].split(": ", 1) for line in text.splitlines() if line.startswith("#"))
        assert header.pop("mean of the trainings", None) is None or selection.trial == 0
        assert list(header) == [
            "study", "trial", "digest", "rule", "choice", "trainings", "estimates", "on the validation set",
            "sha256 of the lines above",
        ]  # fmt: skip
        assert header["trial"].startswith(f"{selection.trial} (finished")
        assert header["rule"] == f"{rule}, of {len(estimates_of(study).configurations)} configurations"
        assert header["choice"].startswith("the best of 26 with probability ")
        value = study.trials.set_index("trial").loc[selection.trial, FEW]
        assert f"val_mae_few={value:.6g}" in header["on the validation set"]
        assert (
            f"val_mae_few={value_text(selection.values.of(FEW).value(selection.choice.index))}" in header["estimates"]
        )
    assert not list(folder.glob(".*"))


def test_the_header_names_all_trainings_and_the_tolerances(make_study: MakeStudy) -> None:
    study = study_of(make_study, {FEW: [5.0, 4.0], ALL: [1.0, 1.01]}, {FEW: "min"})
    study = confirmed(study, 1, [{FEW: 4.6}, {FEW: 4.3}])
    text = select_config(study, "few", {ALL: 0.02}).file.read_text()
    assert "# rule: few, of 2 configurations, val_mae_all within 2 % of the best\n" in text
    assert "# trainings: 3 seeds, trials 1, 40 and 41\n" in text
    assert "# choice: how sure this is cannot be said: fewer than 5 trainings" in text
    assert "val_mae_few=4.3" in text.split("# mean of the trainings: ")[1]


def test_front_parquet_has_the_rows_the_estimates_and_the_footer(make_study: MakeStudy) -> None:
    folder = make_study()
    selection = select_config(load_results(folder), "knee")
    table, footer = read_parquet(folder / "front.parquet")
    whole, expected = read_parquet(folder / "trials.parquet")
    trials = {str(trial) for trial in selection.front["trial"]}
    assert footer == expected | {"configs": {trial: expected["configs"][trial] for trial in trials}}
    assert len(trials) < len(expected["configs"])
    rows = {row["trial"]: row for row in whole.to_pylist()}
    names = whole.column_names
    assert table.select(names).to_pylist() == [rows[trial] for trial in selection.front["trial"]]
    assert table.select(names).schema.types == whole.schema.types
    extra = set(table.column_names) - set(names)
    assert {TRAININGS, ON_FRONT, MEAN + FEW, f"low:{FEW}", f"high:{FEW}", MEAN + ALL} <= extra
    types = {name: str(table.schema.field(name).type) for name in extra}
    assert types.pop(TRAININGS) == "int64"
    assert set(types.values()) == {"double"}
    assert table[MEAN + FEW].to_pylist() == selection.front[MEAN + FEW].tolist()


def test_a_configuration_that_the_footer_lacks(make_study: MakeStudy) -> None:
    study = dataclasses.replace(load_results(make_study()), configs={})
    with pytest.raises(DataError, match="no configuration of trial"):
        select_config(study, "few")
    assert not list(Path(study.folder).glob("best_*"))


def test_equal_trainings_can_be_chosen_from(make_study: MakeStudy) -> None:
    study = load_results(make_study(ablations=False))
    same = dict.fromkeys(["val_mae_all", "val_mae_many", "val_mae_median", "val_mae_few"], 2.0)
    study = dataclasses.replace(study, trials=study.trials.assign(**same))
    for rule in RULES:
        selection = select_config(study, rule)
        assert selection.trial == 0
        assert selection.values.of(FEW).value(0).mean == pytest.approx(2.0)


def test_stopped_trials_can_be_chosen_when_asked(make_study: MakeStudy) -> None:
    study = study_of(make_study, {FEW: [5.0]}, {FEW: "min"})
    selection = select_config(study, "few", include_stopped=True)
    assert selection.trial != 0
    assert "(stopped, epoch" in selection.file.read_text()
