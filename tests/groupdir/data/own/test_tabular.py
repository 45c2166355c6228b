"""A table of one's own: split, statistics of training alone, a trial, and predictions for new rows."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from groupdir.commands.predict import predict_file
from groupdir.config.datasets import TabularConfig
from groupdir.config.trial import TrialConfig
from groupdir.data.base import SplitName
from groupdir.data.own.tabular import Tabular
from groupdir.errors import ConfigError, DataError
from groupdir.files.predictions import SavedPredictions, read_predictions
from groupdir.training.trainer import Trainer, run_trial
from tests.command_line import groupdir

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
COLOURS = ("red", "green", "blue")


def table(root: Path, **options: Any) -> Tabular:
    return Tabular(TabularConfig(name="table", root=str(root), **{"manifest": "t.csv"} | options))


def refused(root: Path, **options: Any) -> list[str]:
    with pytest.raises(DataError) as error:
        table(root, **options)
    return str(error.value).replace(f"{root}/", "").split("\n")


def content(split: bool = True) -> dict[str, list[Any]]:
    """240 rows: the target is 3 size + 5 [red]; some sizes are missing."""
    rng = np.random.default_rng(0)
    size = np.round(rng.exponential(2, 240), 3)
    colour = rng.integers(0, 3, 240)
    y = np.round(3 * size + 5 * (colour == 0) + 0.1 * rng.normal(size=240), 3)
    columns = {
        "size": ["" if k % 17 == 0 else value for k, value in enumerate(size.tolist())],
        "colour": [COLOURS[k] for k in colour.tolist()],
        "target": y.tolist(),
    }
    return columns | ({"split": [("train", "train", "val", "test")[k % 4] for k in range(240)]} if split else {})


def write(path: Path, columns: dict[str, list[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "t.csv", content())
    return tmp_path


def trial(folder: Path, **data: Any) -> TrialConfig:
    return TrialConfig.from_dict(
        {
            "data": {"name": "table", "root": str(folder), "manifest": "t.csv", **data},
            "encoder": {"name": "mlp", "widths": [32]},
            "method": {"name": "group_dir", "groups": 5, "recipe": "joint"},
            "optim": {"lr": 0.01},
            "train": {"epochs": 12, "batch_size": 32},
        }
    )


def test_vectors_by_the_statistics_of_training(folder: Path) -> None:
    data = table(folder)
    assert data.inputs.kind == "vector"
    assert data.inputs.shape == (2 + 4,)  # size, whether it is missing; three colours, another
    sizes = np.array([np.nan if cell == "" else cell for cell in content()["size"]], dtype=np.float64)
    train = np.arange(240) % 4 < 2
    for split, rows in (("train", train), ("val", np.arange(240) % 4 == 2), ("test", np.arange(240) % 4 == 3)):
        x = data.split(split).inputs[0]  # type: ignore[arg-type]
        expected = (sizes[rows] - np.nanmean(sizes[train])) / np.nanstd(sizes[train])
        np.testing.assert_allclose(x[:, 0], np.nan_to_num(expected), atol=1e-6)
        np.testing.assert_array_equal(x[:, 1], np.isnan(sizes[rows]))
        assert (x[:, 2:].sum(axis=1) == 1).all()
    np.testing.assert_array_equal(data.labels("val"), data.split("val").y)


def test_columns_can_be_chosen(folder: Path) -> None:
    assert table(folder, columns=["colour"]).inputs.shape == (4,)
    assert table(folder, without=["colour"]).inputs.shape == (2,)
    assert table(folder, columns=["size", "size"], categorical=["size"], most_categories=150).inputs.shape[0] > 100
    assert "did you mean 'colour'?" in refused(folder, columns=["colours"])[0]
    assert "did you mean 'size'?" in refused(folder, without=["sizes"])[0]
    assert refused(folder, columns=["size", "target", "split"]) == [
        "data.columns: must not include the target or the split, got split, target"
    ]
    assert refused(folder, without=["size", "colour"]) == [
        "t.csv: must have a column other than target to predict from, got none"
    ]
    (line,) = refused(folder, columns=["size"], categorical=["colour"])
    assert line == "data.categorical: must be columns to predict from, got colour: Known: size"


@pytest.mark.parametrize(
    "options",
    [
        {"features": ["target"]},
        {"features": ["size"], "without": ["size"]},
        {"features": ["colour"], "columns": ["size"]},
        {"features": ["colour"], "group": "colour"},
    ],
)
def test_a_listed_feature_is_used_or_refused(folder: Path, options: dict[str, Any]) -> None:
    assert refused(folder, **options)[0].startswith("data.features: must be columns to predict from, got ")


@pytest.mark.parametrize("options", [{"group": "target"}, {"group": "split"}, {"split": "target"}])
def test_a_column_has_one_role(folder: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="must be two columns, got"):
        table(folder, **options)


def test_a_split_is_made_beside_a_table_without_one(folder: Path) -> None:
    columns = content(split=False)
    write(folder / "t.csv", columns)
    data = table(folder, bin_width=2)
    assert (folder / "t.split.csv").exists()
    order = np.random.default_rng(1).permutation(240)
    write(folder / "t.csv", {name: [cells[k] for k in order] for name, cells in columns.items()})
    again = table(folder, bin_width=2)
    for split in SPLITS:
        assert sorted(data.labels(split).tolist()) == sorted(again.labels(split).tolist())
    columns["size"][5] = 99.0
    write(folder / "t.csv", columns)
    assert (
        "t.split.csv: must have the rows of the manifest next to it, got 1 not in this file"
        in refused(folder, bin_width=2)[0]
    )


@pytest.mark.parametrize(("column", "wrong", "right"), [("size", "1.5 kg", 1.5), ("target", "1e999", 7.25)])
def test_a_table_that_is_refused_gets_no_split(folder: Path, column: str, wrong: str, right: float) -> None:
    """The mistakes are corrected next, and a split file made before would refuse the corrected rows."""
    columns = content(split=False)
    columns[column][5] = wrong
    write(folder / "t.csv", columns)
    assert refused(folder, bin_width=2)[0].startswith("t.csv:7: ")
    assert not (folder / "t.split.csv").exists()
    columns[column][5] = right
    write(folder / "t.csv", columns)
    assert len(table(folder, bin_width=2).y) == 240
    assert (folder / "t.split.csv").exists()


def test_labels_that_are_refused_get_no_split(folder: Path) -> None:
    write(folder / "t.csv", content(split=False))
    assert "training labels must lie between data.low and data.high" in refused(folder, low=500, high=600)[0]
    assert not (folder / "t.split.csv").exists()


def test_rows_that_are_the_same(folder: Path) -> None:
    columns = content(split=False)
    for name, cells in columns.items():
        columns[name] = [*cells, cells[3], cells[7]]
    write(folder / "t.csv", columns)
    assert refused(folder) == [
        "t.csv:242: is the same as line 5: remove one of the two rows, or set data.duplicates to keep",
        "t.csv:243: is the same as line 9: remove one of the two rows, or set data.duplicates to keep",
    ]
    data = table(folder, duplicates="keep", bin_width=2)
    assert sum(len(data.labels(split)) for split in SPLITS) == 242
    assert len({data.own.splits[3], data.own.splits[240]}) == 1


def test_mistakes_of_all_kinds(folder: Path) -> None:
    columns = content()
    columns["size"][2], columns["size"][3] = "large", "1e999"  # of val and of test
    write(folder / "t.csv", columns)
    assert refused(folder) == [
        "t.csv:4: size must be a number as in training, got 'large'",
        "t.csv:5: size must be a number as in training, got '1e999'",
    ]
    columns["target"][9], columns["split"][11] = "", "tests"
    write(folder / "t.csv", columns)
    assert [line.split(" ")[0] for line in refused(folder)] == ["t.csv:11:", "t.csv:13:"]


def test_a_trial_beats_the_mean_and_resumes(folder: Path, tmp_path: Path) -> None:
    config = trial(folder)
    results = []
    for epoch in run_trial(config):
        results.append(epoch.metrics["val_mae_all"])
        if epoch.epoch == 6:
            epoch.save(tmp_path / "six.pt")
    y = table(folder).labels("val")
    assert min(results) < 0.5 * np.abs(y - table(folder).labels("train").mean()).mean()
    assert [epoch.metrics["val_mae_all"] for epoch in run_trial(config, resume=tmp_path / "six.pt")] == results[6:]


def test_two_views_are_refused(folder: Path) -> None:
    config = trial(folder).replaced({"method.recipe": "two_stage"})
    assert [stage.views for stage in Trainer(config).stages] == [1, 1], "the default follows the data set"
    config = config.replaced({"method.pretrain.views": 2})
    with pytest.raises(ConfigError, match="data set table has no augmentation"):
        Trainer(config)


def test_predictions_for_new_rows_without_a_target(folder: Path, tmp_path: Path) -> None:
    trainer = Trainer(trial(folder))
    list(trainer.epochs())
    checkpoint = tmp_path / "c.pt"
    trainer.save(checkpoint)
    new = {"other": ["x"] * 4, "colour": ["red", "blue", "pink", ""], "size": ["1", "", "2", "3"]}
    write(tmp_path / "new.csv", new)
    kinds = {"colour": pa.array(["red", "blue", "pink", None]), "size": pa.array([1, None, 2, 3])}
    pq.write_table(pa.table(kinds), tmp_path / "new.parquet")
    (folder / "t.csv").unlink()  # the checkpoint knows all that is needed
    outputs = []
    for name in ("new.csv", "new.parquet"):
        done = groupdir("predict", checkpoint, tmp_path / name)
        assert done.returncode == 0, done.stderr
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1]
    rows = list(csv.DictReader(outputs[0].splitlines()))
    assert [row["input"] for row in rows] == ["0", "1", "2", "3"]
    assert abs(float(rows[0]["prediction"]) - 8) < 3  # 3 size + 5 for red
    (tmp_path / "bad.csv").write_text("size,color\n1,red\n", encoding="utf-8")
    done = groupdir("predict", checkpoint, tmp_path / "bad.csv")
    assert done.returncode == 2
    assert "bad.csv:1: has no column 'colour': did you mean 'color'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_index_is_left_out_and_said(folder: Path) -> None:
    columns: dict[str, list[Any]] = {"": [f"row {k}" for k in range(240)], **content()}
    write(folder / "t.csv", columns)
    data = table(folder)
    assert [column.name for column in data.columns.columns] == ["size", "colour"]
    (line,) = data.warnings()
    assert line == (
        f"{folder}/t.csv: column '(no name)' is left out: the first column has no name, like an index that pandas or R "
        "writes"
    )
    frame = pd.DataFrame(content() | {"size": np.arange(240) / 7}).set_index("colour")
    frame.to_parquet(folder / "t.parquet")
    data = table(folder, manifest="t.parquet")
    assert [column.name for column in data.columns.columns] == ["size"]
    assert "column 'colour' is left out: pandas stored it as the index" in data.warnings()[0]
    for kept in ({"features": ["colour"]}, {"columns": ["size", "colour"]}, {"categorical": ["colour"]}):
        data = table(folder, manifest="t.parquet", **kept)
        assert {column.name for column in data.columns.columns} == {"size", "colour"}
        assert data.warnings() == []
    summaries = {column.name: column for column in table(folder, manifest="t.parquet").column_summaries()}
    assert (summaries["colour"].kind, summaries["size"].content) == ("left out", f"0 to {239 / 7:.15g}")


def test_ids_and_row_numbers_are_refused_by_name(folder: Path) -> None:
    columns = content() | {"row": list(range(240)), "name": [f"n{k}" for k in range(240)]}
    write(folder / "t.csv", columns)
    assert refused(folder) == [
        "t.csv: column 'row' numbers the rows from 0 to 239, so it is no feature",
        "t.csv: column 'name' has a text of its own in each of the 240 rows, such as 'n0', so it is no feature",
        "fix these columns, or list them in data.without",
        "list a column that is a feature in spite of its values in data.features",
    ]
    assert table(folder, without=["row", "name"]).warnings() == []
    columns["row"] = [1000 + 3 * k for k in range(240)]
    write(folder / "t.csv", columns)
    (line,) = table(folder, without=["name"]).warnings()
    assert "column 'row' holds whole numbers that grow from row to row, like an id" in line
    assert table(folder, without=["name"], features=["row"]).warnings() == []


def test_a_column_that_the_yaml_names_is_no_suspect(folder: Path) -> None:
    write(folder / "t.csv", content() | {"size": [k % 3 for k in range(240)], "zone": ["1", "2", "x"] * 80})
    (line,) = table(folder).warnings()
    assert "column 'zone' is encoded as 3 texts, although 80 of 120 training cells" in line
    assert table(folder, categorical=["zone"]).warnings() == []


def test_as_many_predictions_as_rows_or_none(folder: Path, tmp_path: Path) -> None:
    trainer = Trainer(trial(folder))
    trainer.save(tmp_path / "c.pt")
    new = tmp_path / "new.csv"
    new.write_text("size,colour\n1,red\n\n2,\n,blue\n3,red\n\n", encoding="utf-8")
    assert [row["input"] for row in predict_file(tmp_path / "c.pt", new)] == [0, 1, 2, 3]
    new.write_text("size,colour\n1,red\n,\n3,red\n,\n", encoding="utf-8")
    with pytest.raises(DataError) as error:
        list(predict_file(tmp_path / "c.pt", new))
    assert [line.partition(": ")[0] for line in str(error.value).split("\n")] == [f"{new}:3", f"{new}:5"]
    write(folder / "t.csv", {name: [*cells, ""] for name, cells in content().items()})
    assert refused(folder) == ["t.csv:242: has no value in any column: remove the row, or fill it in"]


FAR = {"seconds": 1_700_000_000.0, "metres": 5_500_000.25, "ordinal days": 738_000.0, "degrees": 52.5}


@pytest.mark.parametrize(
    ("unit", "method"), [*((unit, "group_dir") for unit in FAR), ("seconds", "vanilla"), ("metres", "vir")]
)
def test_labels_far_from_zero_keep_their_digits(unit: str, method: str, tmp_path: Path) -> None:
    spread = 1e-4 if unit == "degrees" else 4.0
    rng = np.random.default_rng(1)
    x = rng.normal(size=400)
    exact = FAR[unit] + spread * x
    splits = [("train", "train", "val", "test")[k % 4] for k in range(400)]
    write(tmp_path / "t.csv", {"x": x.tolist(), "target": exact.tolist(), "split": splits})
    options = {"groups": 4, "recipe": "joint"} if method == "group_dir" else {}
    content = trial(tmp_path).to_dict() | {"method": {"name": method, **options}}
    trainer = Trainer(TrialConfig.from_dict(content).replaced({"train.epochs": 10}))
    last = list(trainer.epochs())[-1]
    found, y = trainer.predict("val"), trainer.dataset.split("val").y
    np.testing.assert_array_equal(y, exact[np.arange(400) % 4 == 2])
    assert last.metrics["val_mae_all"] == pytest.approx(np.abs(found.value - y).mean(), rel=1e-9)
    assert last.metrics["val_mae_all"] < 0.5 * spread
    assert len(np.unique(found.value)) > 80  # float32 knows 1 to 3 values here
    saved = SavedPredictions({}, "c", "s", trainer.dataset.shots, "val", 0, y, found.value)
    saved.write(tmp_path / "p.parquet")
    again = read_predictions(tmp_path / "p.parquet")
    np.testing.assert_array_equal(again.target, y)
    np.testing.assert_array_equal(again.prediction, found.value)
