"""Predictions in a file: exact columns and types, equal after reading, and one clear error for what does not fit."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from groupdir.errors import DataError
from groupdir.files.parquet import write_parquet
from groupdir.files.predictions import SavedPredictions, check_same_samples, read_predictions
from groupdir.metrics import STSB_SHOTS, ShotSplit, shot_metrics


def made(**changes: Any) -> SavedPredictions:
    """Return predictions for labels on the edges of STS-B's bins, as float32."""
    target = (np.arange(51) / 10).astype(np.float32)
    content: dict[str, Any] = {
        "config": {"data": {"name": "stsb"}}, "configuration": "c0ffee", "samples": "51",
        "shots": ShotSplit.fixed(STSB_SHOTS), "split": "test", "seed": 3, "target": target,
        "prediction": np.random.default_rng(0).normal(size=51),
    }  # fmt: skip
    return SavedPredictions(**content | changes)


def test_the_columns_are_those_of_the_contract(tmp_path: Path) -> None:
    groups = np.arange(51) // 10
    made(group=groups, true_group=groups + 1).write(tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.column_names == ["sample", "split", "seed", "target", "prediction", "group", "true_group"]
    assert [str(table.schema.field(name).type) for name in ("sample", "seed", "group")] == ["int64"] * 3
    assert table["sample"].to_pylist() == list(range(51))
    made().write(tmp_path / "b.parquet")
    assert pq.read_table(tmp_path / "b.parquet")["true_group"].null_count == 51


@pytest.mark.parametrize("groups", [None, np.arange(51)])
def test_what_is_read_is_what_was_written(tmp_path: Path, groups: np.ndarray | None) -> None:
    written = made(group=groups, true_group=groups)
    written.write(tmp_path / "a.parquet")
    read = read_predictions(tmp_path / "a.parquet")
    assert read.target.dtype == np.float32, "a label on an edge has the right bin in its own type only"
    assert shot_metrics(read.prediction, read.target, read.shots) == shot_metrics(
        written.prediction, written.target, written.shots
    )
    for field in dataclasses.fields(SavedPredictions):
        np.testing.assert_array_equal(getattr(read, field.name), getattr(written, field.name))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"config": {"data": {"name": "digits"}}}, "a has the data set stsb, but b has digits"),
        ({"split": "val"}, "a has the split test, but b has val"),
        ({"samples": "other", "target": np.arange(50)}, r"a and b have different samples of stsb \(51 and 50 of them"),
        ({"shots": ShotSplit.fixed(many=[0])}, "a and b have different shots of stsb"),
    ],
)
def test_predictions_that_cannot_be_compared_are_one_error(changes: dict[str, Any], says: str) -> None:
    check_same_samples(["a", "b"], [made(), made(seed=4, prediction=np.zeros(51))])
    with pytest.raises(DataError, match=says):
        check_same_samples(["a", "b"], [made(), made(**changes)])


def test_another_file_is_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", [{"trial": 1}], {})
    with pytest.raises(DataError, match="must have the columns sample, split"):
        read_predictions(tmp_path / "a.parquet")
    row = {"sample": 0, "split": "test", "seed": 0, "target": 1.0, "prediction": 1.0, "group": None, "true_group": None}
    write_parquet(tmp_path / "b.parquet", [row, row], {})
    with pytest.raises(DataError, match="one row for each sample of one split and one seed"):
        read_predictions(tmp_path / "b.parquet")
    write_parquet(tmp_path / "c.parquet", [row], {})
    with pytest.raises(DataError, match="its footer is broken: KeyError"):
        read_predictions(tmp_path / "c.parquet")


def test_targets_of_a_users_table_keep_all_their_digits(tmp_path: Path) -> None:
    target = np.array([1_700_000_000.125, 5_500_000.25, 2.6])
    made(target=target, prediction=target + 0.5).write(tmp_path / "p.parquet")
    assert read_predictions(tmp_path / "p.parquet").target.tolist() == target.tolist()
