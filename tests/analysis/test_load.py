import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.load import load_results
from analysis.select import select_config
from groupdir.errors import DataError
from groupdir.files.parquet import read_parquet, write_parquet

MakeStudy = Callable[..., Path]


def rewrite(path: Path, change: Callable[[list[dict[str, Any]], dict[str, Any]], None]) -> None:
    table, footer = read_parquet(path)
    rows = table.to_pylist()
    change(rows, footer)
    write_parquet(path, rows, footer)


def test_a_study_comes_back_whole(make_study: MakeStudy) -> None:
    folder = make_study()
    study = load_results(folder)
    assert (study.name, len(study.trials), len(study.searched)) == ("digits", 49, 40)
    assert study.objectives == {"val_mae_many": "min", "val_mae_median": "min", "val_mae_few": "min"}
    assert study.counts() == {"finished": 26, "stopped": 13, "failed": 1}
    assert not study.epochs.duplicated(["trial", "seed", "epoch"]).any()
    footer = read_parquet(folder / "trials.parquet")[1]
    assert {str(trial): config for trial, config in study.configs.items()} == footer["configs"]


def test_params_are_decoded_and_the_cases_of_a_condition_are_one(make_study: MakeStudy) -> None:
    study = load_results(make_study())
    assert study.param_names == ["groups", "beta", "similarity", "temperature", "weights"]
    assert study.params[2]["weights"] == {"mode": "inverse", "lds": {"kernel": "gaussian", "size": 5}}
    assert study.params[0]["weights"] is None
    row = study.trials.set_index("trial").loc[1]
    assert study.params[1]["temperature"] == json.loads(row["param:method.temperature|negative_l2"])
    assert study.params[40] == study.params[0]  # an ablation keeps the parameters of its base
    assert study.suggested[1]["method.temperature|negative_l2"] == study.params[1]["temperature"]


def test_a_missing_folder_and_a_search_that_has_not_ended(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist: name the folder of a study"):
        load_results(tmp_path / "digits")
    with pytest.raises(DataError, match=r"there is no trials\.parquet.*still running.*groupdir resume"):
        load_results(tmp_path)


def test_broken_files(make_study: MakeStudy) -> None:
    folder = make_study()
    whole = (folder / "epochs.parquet").read_bytes()
    (folder / "epochs.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"epochs\.parquet"):
        _ = load_results(folder).epochs
    (folder / "trials.parquet").write_bytes((folder / "trials.parquet").read_bytes()[:-9])
    with pytest.raises(DataError, match=r"trials\.parquet"):
        load_results(folder)


def test_a_choice_needs_no_epochs(make_study: MakeStudy) -> None:
    folder = make_study()
    chosen = select_config(load_results(folder), "few").choice
    (folder / "epochs.parquet").unlink()
    assert select_config(load_results(folder), "few").choice == chosen


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows, footer: footer.update(schema=1), "written by an older groupdir"),
        (lambda rows, footer: footer.pop("configs"), "lacks configs"),
        (lambda rows, footer: [row.pop("status") for row in rows], "lacks status"),
        (lambda rows, footer: footer["study"]["search"].update(objectives={"val_x": "min"}), "no column val_x"),
        (lambda rows, footer: footer["study"].pop("search"), "names no objectives"),
        (lambda rows, footer: rows.append(rows[0]), "several rows for one trial"),
        (
            lambda rows, footer: footer["study"]["search"].update(trials=-1, sampler={"name": "x"}),
            "the study in its footer cannot be read: .*search.trials.*search.sampler.*of this version",
        ),
        (
            lambda rows, footer: rows[3].update({"param:method.groups": "{"}),
            "trial 3: param:method.groups must be JSON",
        ),
    ],
)
def test_files_that_are_not_a_study(make_study: MakeStudy, change: Callable[..., None], message: str) -> None:
    folder = make_study()
    rewrite(folder / "trials.parquet", change)
    with pytest.raises(DataError, match=message):
        load_results(folder)
