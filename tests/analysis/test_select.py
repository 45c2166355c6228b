import dataclasses
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from rich.console import Console

from analysis.load import StudyResults, load_results
from analysis.select import RULES, choose, costs, find_front, metric_of, print_selection, select_config
from groupdir.errors import DataError
from groupdir.files.parquet import read_parquet

MakeStudy = Callable[..., Path]


def study_of(make_study: MakeStudy, values: dict[str, list[float]], objectives: dict[str, str]) -> StudyResults:
    """A study whose first trials have these values; the others did not finish."""
    study = load_results(make_study())
    trials, count = study.trials.copy(), len(next(iter(values.values())))
    trials["status"] = ["finished"] * count + ["stopped"] * (len(trials) - count)
    for name, column in values.items():
        trials[name] = column + [0.0] * (len(trials) - count)
    return dataclasses.replace(study, trials=trials, objectives=objectives)


def test_front_holds_finished_trials_of_the_search_only(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    front = find_front(study)
    assert set(front["status"]) == {"finished"}
    assert set(front["role"]) == {"search"}
    names = list(study.objectives)
    rows = study.searched[study.searched["status"] == "finished"]
    values = rows[names].to_numpy()
    best = [not ((values <= row).all(axis=1) & (values < row).any(axis=1)).any() for row in values]
    assert sorted(front["trial"]) == rows["trial"][best].tolist()


def test_stopped_trials_enter_when_asked(make_study: MakeStudy) -> None:
    values = {"val_mae_few": [5.0, 6.0]}
    study = study_of(make_study, values, {"val_mae_few": "min"})
    assert find_front(study)["trial"].tolist() == [0]
    assert 0.0 in find_front(study, include_stopped=True)["val_mae_few"].tolist()


def test_what_is_maximised_is_turned_around(make_study: MakeStudy) -> None:
    values = {"val_mse_all": [1.0, 2.0, 2.0], "val_pearson_all": [0.5, 0.9, 0.4]}
    study = study_of(make_study, values, {"val_mse_all": "min", "val_pearson_all": "max"})
    assert find_front(study)["trial"].tolist() == [0, 1]


def test_a_metric_that_is_no_objective_has_its_own_direction_too(make_study: MakeStudy) -> None:
    values = {"val_group_accuracy": [0.5, 0.9], "val_mae_all": [1.0, 1.0], "val_pearson_few": [0.1, 0.2]}
    study = study_of(make_study, values, {"val_mae_all": "min"})
    assert costs(study.trials[:2], ["val_group_accuracy", "val_mae_all", "val_pearson_few"]).tolist() == [
        [-0.5, 1.0, -0.1], [-0.9, 1.0, -0.2],
    ]  # fmt: skip
    grouped = study_of(lambda: make_study("g"), values, {"val_group_accuracy": "max", "val_pearson_few": "max"})
    assert [metric_of(grouped, shot) for shot in ("few", "all")] == ["val_pearson_few", "val_mae_all"]


@pytest.mark.parametrize("rule", ["many", "median", "few", "all"])
def test_a_shot_takes_the_lowest_error_on_the_front(make_study: MakeStudy, rule: str) -> None:
    study = load_results(make_study())
    front = find_front(study)
    lowest = front.loc[front[f"val_mae_{rule}"].idxmin(), "trial"]
    assert choose(study, front, rule) == lowest


def test_ties_go_to_the_error_over_all_then_to_the_lower_trial(make_study: MakeStudy) -> None:
    values = {"val_mae_few": [5.0, 5.0, 5.0, 5.0], "val_mae_all": [4.0, 3.0, 3.0, np.nan]}
    study = study_of(make_study, values, {"val_mae_few": "min"})
    assert choose(study, find_front(study), "few") == 1


def test_knee_is_the_point_nearest_to_the_ideal_one_after_scaling(make_study: MakeStudy) -> None:
    values = {"val_mae_many": [0.0, 1.0, 4.0], "val_mae_few": [1000.0, 100.0, 0.0]}
    study = study_of(make_study, values, {"val_mae_many": "min", "val_mae_few": "min"})
    assert choose(study, find_front(study), "knee") == 1
    one = study_of(lambda: make_study("one"), {"val_mae_few": [5.0]}, {"val_mae_few": "min"})
    assert choose(one, find_front(one), "knee") == 0


def test_the_metric_of_a_rule_follows_the_objectives(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    trials = study.trials.assign(val_mse_all=1.0, val_mse_few=1.0, val_pearson_all=0.5)
    mse = dataclasses.replace(study, trials=trials, objectives={"val_mse_all": "min", "val_pearson_all": "max"})
    assert [metric_of(mse, shot) for shot in ("all", "few", "many")] == ["val_mse_all", "val_mse_few", "val_mae_many"]
    assert metric_of(study, "all") == "val_mae_all"


def test_the_yaml_is_the_footers_configuration(make_study: MakeStudy) -> None:
    folder = make_study(name="a\nname: not yaml")
    study = load_results(folder)
    for rule in RULES:
        selection = select_config(study, rule)
        text = selection.file.read_text()
        assert selection.file == folder / f"best_{rule}.yaml"
        assert yaml.safe_load(text) == read_parquet(folder / "trials.parquet")[1]["configs"][str(selection.trial)]
        assert list(yaml.safe_load(text)) == ["seed", "data", "method", "train"]  # in the configuration's order
        header = [line for line in text.splitlines() if line.startswith("#")]
        assert f"# trial: {selection.trial} (finished" in text
        assert [line.split(":")[0] for line in header] == [
            "# study", "# trial", "# digest", "# rule", "# on the validation set",
        ]  # fmt: skip
        value = study.trials.set_index("trial").loc[selection.trial, "val_mae_few"]
        assert f"val_mae_few={value:.6g}" in header[-1]
    assert not list(folder.glob(".*"))


def test_front_parquet_has_the_rows_and_the_footer(make_study: MakeStudy) -> None:
    folder = make_study()
    selection = select_config(load_results(folder), "knee")
    table, footer = read_parquet(folder / "front.parquet")
    whole, expected = read_parquet(folder / "trials.parquet")
    assert footer == expected
    rows = {row["trial"]: row for row in whole.to_pylist()}
    assert table.to_pylist() == [rows[trial] for trial in selection.front["trial"]]
    assert table.schema.types == whole.schema.types


def test_nothing_finished_is_said_with_counts(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    trials = study.trials.assign(status=["running"] * 2 + ["stopped"] * (len(study.trials) - 2))
    unfinished = dataclasses.replace(study, trials=trials)
    with pytest.raises(DataError, match=r"no trial is finished \(trials: 38 stopped, 2 running\).*groupdir resume"):
        find_front(unfinished)
    nothing = study_of(lambda: make_study("nan"), {"val_mae_few": [np.nan]}, {"val_mae_few": "min"})
    with pytest.raises(DataError, match="no trial has a value for every objective"):
        find_front(nothing)


def test_a_rule_without_values_and_a_rule_that_is_none(make_study: MakeStudy) -> None:
    study = study_of(make_study, {"val_mae_all": [1.0], "val_mae_few": [np.nan]}, {"val_mae_all": "min"})
    with pytest.raises(DataError, match="rule few cannot choose: no trial on the front has a finite val_mae_few"):
        choose(study, find_front(study), "few")
    with pytest.raises(ValueError, match="rule must be one of many"):
        choose(study, find_front(study), "best")


def test_a_configuration_that_the_footer_lacks(make_study: MakeStudy) -> None:
    study = dataclasses.replace(load_results(make_study()), configs={})
    with pytest.raises(DataError, match="no configuration of trial"):
        select_config(study, "few")
    assert not list(study.folder.glob("best_*"))


def test_what_is_printed_ends_with_the_next_command(make_study: MakeStudy, capsys: pytest.CaptureFixture[str]) -> None:
    study = load_results(make_study())
    selection = select_config(study, "few")
    print_selection(study, selection)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("*")] == [str(selection.trial)]
    assert lines[0].split()[:4] == ["trial", "val_mae_many", "val_mae_median", "val_mae_few"]
    assert lines[-1] == f"next: groupdir train {selection.file} --seeds 5 --beside vanilla"


def test_a_narrow_terminal_keeps_numbers_whole(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    params = {trial: {**own, "groups": [1, 2]} for trial, own in study.params.items()}
    study = dataclasses.replace(study, params=params)
    selection = select_config(study, "few")
    screen = io.StringIO()
    print_selection(study, selection, Console(file=screen, force_terminal=True, color_system=None, width=80))
    shown = screen.getvalue()
    assert "groups [1, 2]" in shown
    for trial, value in zip(selection.front["trial"], selection.front["val_mae_few"], strict=True):
        assert any(line.split()[:1] in ([str(trial)], ["*"]) and f"{value:.4g}" in line for line in shown.splitlines())


def run(*arguments: str, root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "analysis", *arguments], cwd=root, capture_output=True, text=True, check=False
    )


def test_the_command_line(make_study: MakeStudy, tmp_path: Path, root: Path) -> None:
    folder = make_study()
    done = run("select", str(folder), "--shot", "few", root=root)
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "best_few.yaml").is_file()
    missing = run("select", str(tmp_path / "none"), "--shot", "few", root=root)
    assert missing.returncode == 2
    assert missing.stderr.count("\n") == 1
    assert "does not exist: name the folder of a study" in missing.stderr
    assert run("select", str(folder), "--shot", "low", root=root).returncode == 2


def test_help_loads_nothing_heavy(root: Path) -> None:
    code = (
        "import sys; sys.argv = ['analysis', '--help']\nfrom analysis.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit: pass\n"
        "heavy = ('pandas', 'numpy', 'plotly', 'matplotlib', 'pyarrow', 'moocore', 'torch')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
