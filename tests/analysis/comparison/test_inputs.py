"""Inputs of a comparison: labels, folders and files, and every file that cannot be compared."""

from pathlib import Path

import numpy as np
import pytest

from analysis.comparison.inputs import Stated, read_inputs
from groupdir.errors import DataError
from groupdir.files.predictions import SavedPredictions
from groupdir.files.study_files import PREDICTIONS
from tests.analysis.comparison.predictions import SHOTS, TARGET, write_file, write_run


def labels(*inputs: object) -> list[str]:
    return list(dict.fromkeys(training.label for training in read_inputs([str(item) for item in inputs], "test")))


def test_labels_come_from_folders(tmp_path: Path) -> None:
    run = tmp_path / "best_few"
    for method in ("group_dir", "vanilla"):
        write_run(run / method, seeds=[0])
    assert labels(run) == ["group_dir", "vanilla"], "of one input, its name is not needed"
    assert labels(run, f"tuned={run}") == [
        "best_few/group_dir", "best_few/vanilla", "tuned/group_dir", "tuned/vanilla"
    ]  # fmt: skip
    assert labels(run / "vanilla", f"soft={run / 'group_dir'}") == ["vanilla", "soft"]
    assert labels(run / "vanilla" / "seed_0" / "predictions.parquet") == ["vanilla"]
    mine = write_file(tmp_path / "mine.parquet", TARGET, {0: TARGET, 1: TARGET}, footer={})
    assert labels(mine) == ["mine"]


def test_a_file_may_hold_several_seeds_in_any_order(tmp_path: Path) -> None:
    order = np.random.default_rng(0).permutation(30)
    target = np.arange(30, dtype=np.float32)
    one = write_file(
        tmp_path / "one.parquet", target[order], {0: target[order] + 1, 4: target[order] + 2}, sample=np.tile(order, 2)
    )
    trainings = read_inputs([str(one)], "test")
    assert [training.seed for training in trainings] == [0, 4]
    assert trainings[1].sample.tolist() == list(range(30))
    assert (trainings[1].prediction == target + 2).all()
    assert (trainings[0].stated.shots, trainings[0].stated.data) == (SHOTS, "digits")
    assert trainings[0].target.dtype == np.float32, "a label on the edge of a bin has its shot in its own type"


def test_a_file_of_another_program_has_no_shots(tmp_path: Path) -> None:
    file = write_file(tmp_path / "mine.parquet", TARGET, {0: TARGET}, footer={})
    (training,) = read_inputs([str(file)], "test")
    assert training.stated == Stated()


def bad(name: str, values: list[float]) -> dict[str, np.ndarray]:
    column = TARGET.astype(np.float64)
    column[: len(values)] = values
    return {name: column}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (bad("prediction", [np.nan, np.inf]), "got 2 NaN or infinite values of 120 for seed 0, the first for sample 0"),
        ({"prediction": ["1"] * 120}, "column prediction must hold numbers without gaps, got string"),
        ({"sample": [None, *range(119)]}, "column sample must hold integers without gaps, got int64"),
        (bad("target", [np.nan]), "column target must be finite, got 1"),
        ({"sample": np.zeros(120, dtype=int)}, "got several rows for 1 samples of seed 0, such as sample 0"),
        ({"split": ["val"] * 120}, "no prediction of the split test, but of val: use --split"),
        ({"target": None, "seed": None}, r"has no column seed, target \(columns: sample, split, prediction"),
        ({"footer": {"shots": {"many": []}}}, "its footer is broken: ValueError: the keys must be"),
        ({"footer": {"schema": 1}}, "was written by an older groupdir"),
    ],
)  # fmt: skip
def test_broken_predictions_are_refused(tmp_path: Path, options: dict[str, object], says: str) -> None:
    file = write_file(tmp_path / "mine.parquet", TARGET, {0: TARGET}, **options)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=says) as error:
        read_inputs([str(file)], "test")
    assert str(error.value).startswith(str(file))


def test_inputs_without_predictions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: does not exist: give a folder"):
        read_inputs([str(tmp_path / "nowhere")], "test")
    (tmp_path / "old/vanilla/seed_0").mkdir(parents=True)
    with pytest.raises(DataError, match=r"old: holds no predictions.parquet: measure it"):
        read_inputs([str(tmp_path / "old")], "test")
    (tmp_path / "old/vanilla/seed_0/result.json").write_text("{}")
    with pytest.raises(DataError, match=r"but 1 result.json; an older groupdir wrote it: measure it"):
        read_inputs([str(tmp_path / "old")], "test")
    with pytest.raises(DataError, match=r"=x: must be PATH or LABEL=PATH"):
        read_inputs(["=x"], "test")
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_inputs([str(tmp_path / "text.parquet")], "test")
    empty = write_file(tmp_path / "empty.parquet", TARGET[:0], {0: TARGET[:0]})
    with pytest.raises(DataError, match="holds no row"):
        read_inputs([str(empty)], "test")


def test_the_file_of_a_training_is_read(tmp_path: Path) -> None:
    """The writer of `groupdir train` and this reader agree."""
    config = {"data": {"name": "agedb", "root": "/data/agedb"}}
    saved = SavedPredictions(config, "12ab", "34cd", SHOTS, "test", 3, TARGET, TARGET + 0.25)
    saved.write(tmp_path / PREDICTIONS)
    (training,) = read_inputs([str(tmp_path)], "test")
    assert training.stated == Stated("agedb", "/data/agedb", "34cd", "12ab", SHOTS)
    assert (training.seed, training.target.dtype) == (3, np.float32)
    assert (training.target == saved.target).all()
    assert (training.prediction == saved.prediction).all()
