"""`groupdir data describe`: the labels of every data set, counted right, without a picture or a training."""

import csv
import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from groupdir.commands.label_counts import LabelCounts, count_labels, write_counts
from groupdir.commands.label_tables import group_table, histogram, print_counts
from groupdir.data.base import Targets
from groupdir.errors import ConfigError, FileWriteError
from groupdir.metrics import ShotSplit
from tests.checkout import ROOT
from tests.command_line import groupdir

SPACE = """\
data: {name: images, root: %s, manifest: faces.csv, low: 0, high: 100, bin_width: 1, unit: years, many: 3, few: 2}
encoder: {name: convnet}
method: {name: group_dir, recipe: joint, groups: {int_range: [2, 10, step: 4]}, grouping: %s}
search: {objectives: {val_mae_all: min}}
"""
AGES = {"train": [10] * 5 + [31, 31, 99], "val": [10, 31], "test": [10, 64]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A manifest of pictures that are not there."""
    rows = [f"{k}_{split}.jpg,{age},{split}" for split, ages in AGES.items() for k, age in enumerate(ages)]
    (tmp_path / "faces.csv").write_text("\n".join(["path,target,split", *rows]), encoding="utf-8")
    return tmp_path


def space(folder: Path, grouping: str = "equal_width") -> Path:
    path = folder / "space.yaml"
    text = SPACE % (folder, grouping)
    path.write_text(text.replace("[2, 10, step: 4]}", "[2, 10], step: 4}"), encoding="utf-8")
    return path


def printed(counts: LabelCounts, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_counts(counts, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_space_of_own_pictures(folder: Path) -> None:
    counts = count_labels(space(folder))
    assert counts.groupings == [(2, "equal_width"), (6, "equal_width"), (10, "equal_width")]
    assert counts.of_group(2, "equal_width").tolist() == [7, 1]
    assert counts.of_group(10, "equal_width").tolist() == [0, 5, 0, 2, 0, 0, 0, 0, 0, 1]
    bins, samples = counts.bins()
    assert bins.tolist() == [10, 31, 64, 99]
    assert {split: found.tolist() for split, found in samples.items()} == {
        "train": [5, 2, 0, 1],
        "val": [1, 1, 0, 0],
        "test": [1, 0, 1, 0],
    }
    assert counts.shot_of(bins).tolist() == [0, 1, 2, 2]
    text = printed(counts)
    assert "images: labels in years, bins of 1, groups over 0..100" in text
    rows = [line.split() for line in text.split("\n")]
    assert ["many", "1", "5", "1", "1", "1", "1"] in rows
    assert ["all", "3", "8", "2", "2", "2", "2"] in rows
    assert ["10", "equal_width", "7", "0", "5", "0", "2", "0", "0", "0", "0", "0", "1"] in rows


def test_every_rule_and_a_trial(folder: Path) -> None:
    path = space(folder, "{choice: [equal_width, equal_frequency]}")
    assert len(count_labels(path).groupings) == 6
    trial = ["method={name: group_dir, groups: 200, grouping: integer_width}"]
    (folder / "trial.yaml").write_text("\n".join(path.read_text("utf-8").split("\n")[:2]), encoding="utf-8")
    counts = count_labels(folder / "trial.yaml", trial)
    assert counts.groupings == [(200, "integer_width")]
    assert "not possible: groups must leave a width of at least 1" in printed(counts, 200)
    assert count_labels(folder / "trial.yaml", ["method={name: vanilla}"]).groupings == []
    assert group_table(count_labels(folder / "trial.yaml", ["method={name: vanilla}"])).row_count == 0


def test_without_a_test_split_all_else_is_shown(folder: Path) -> None:
    path = folder / "faces.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",test", ",train"), encoding="utf-8")
    counts = count_labels(space(folder))
    assert set(counts.labels) == {"train", "val"}
    assert f"no test split: {path}: must have rows of split test, got none" in printed(counts, 300)


@pytest.mark.parametrize("spread", [1, 7, 300, 5000, 10**6])
def test_the_histogram_fits_and_loses_nothing(spread: int) -> None:
    rng = np.random.default_rng(0)
    labels = {split: (rng.normal(0, spread, 400)).astype(np.float32) for split in ("train", "val")}
    shots = ShotSplit.from_train(labels["train"], 0.5, many=3, few=2)
    counts = LabelCounts("any", Targets(-1, 1, 0.5, "units"), labels, shots)  # type: ignore[arg-type]
    table = histogram(counts, 80)
    assert 1 < table.row_count <= 33
    columns = [list(column.cells) for column in table.columns]
    assert [sum(map(int, cells)) for cells in columns[2:]] == [400, 400]
    bars = [str(cell) for cell in columns[1]]
    assert max(map(len, bars)) <= 37
    assert all(bool(bar) == (train != "0") for bar, train in zip(bars, columns[2], strict=True))


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_digit_of_a_label_is_left_out(width: int) -> None:
    labels = {split: np.arange(1_700_000_000_000.0, 1_700_000_300_000, 100) for split in ("train", "val", "test")}
    shots = ShotSplit.from_train(labels["train"], 1_000, many=3, few=2)
    targets = Targets(1.7e12, 1.7000003e12, 1_000, "milliseconds")
    counts = LabelCounts("any", targets, labels, shots)  # type: ignore[arg-type]
    text = printed(counts, width)
    assert "1700000000000..1700000010000" in text
    assert "…" not in text
    assert "train  val  test" in text


def test_the_real_agedb(shared_data: Path, tmp_path: Path) -> None:
    path = tmp_path / "agedb.yaml"
    text = f"data: {{name: agedb, root: {shared_data}}}\nencoder: {{name: convnet}}\n"
    path.write_text(text + "method: {name: group_dir, groups: 5}\n", encoding="utf-8")
    rows = [line.split() for line in printed(count_labels(path)).split("\n")]
    assert ["many", "51", "11154", "51", "1530", "51", "1530"] in rows
    assert ["median", "16", "851", "16", "448", "16", "448"] in rows
    assert ["few", "33", "203", "25", "162", "25", "162"] in rows
    assert ["5", "equal_width", "0", "231", "4913", "4609", "2244", "211"] in rows


def test_a_table_of_methods_is_refused() -> None:
    with pytest.raises(ConfigError, match="must be a trial or a search space, got a benchmark"):
        count_labels(ROOT / "search_spaces/baselines/table1_digits.yaml")


def test_the_file_of_counts(folder: Path) -> None:
    counts = count_labels(space(folder))
    write_counts(counts, folder / "labels.csv")
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows[1] == {"low": "31.0", "high": "32.0", "shot": "median", "train": "2", "val": "1", "test": "0"}
    assert Counter(row["shot"] for row in rows) == {"many": 1, "median": 1, "few": 2}
    with pytest.raises(ConfigError, match=r"labels\.csv: the file exists already"):
        write_counts(counts, folder / "labels.csv")
    with pytest.raises(ConfigError, match=r"must end in \.csv: `groupdir figures labels` draws"):
        write_counts(counts, folder / "labels.png")
    with pytest.raises(FileWriteError, match=r"cannot be written: the folder .*no does not exist: create it"):
        write_counts(counts, folder / "no" / "labels.csv")


def test_the_command(folder: Path) -> None:
    for words, code, says in (
        ([space(folder), "--out", folder / "l.csv"], 0, "training samples of each group"),
        (["search_spaces/digits.yaml", "--set", "data.train=50"], 0, "digits: labels in steps"),
        (["no.yaml"], 2, "no.yaml: cannot be read"),
        ([folder / "space.yaml", "--set", "data.manifest=no.csv"], 2, "no.csv: cannot be read"),
    ):
        done = groupdir("data", "describe", *words)
        assert (done.returncode, says in (done.stderr if code else done.stdout)) == (code, True), done.stderr
        assert "Traceback" not in done.stderr
    assert (folder / "l.csv").exists()


TABLE = """\
data: {name: table, root: %s, manifest: t.csv, target: y}
encoder: {name: mlp}
method: {name: group_dir, recipe: joint, groups: 4}
"""


def table(folder: Path, low: int) -> Path:
    """A table of 300 rows with an index, a gap, texts, a long name and labels of many digits."""
    lines = [",weight,colour,a name of a column that is much longer than any column of a screen,y"]
    for row in range(300):
        weight, colour = "-" if row == 7 else f"{(row * 37) % 101 / 4}", ("red", "green", "blue")[row % 3]
        lines.append(f"{row},{weight},{colour},{(row * 11) % 17},{low + row % 12}")
    (folder / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "t.yaml").write_text(TABLE % folder, encoding="utf-8")
    return folder / "t.yaml"


def test_the_columns_of_a_table(tmp_path: Path) -> None:
    lines = [line.rstrip() for line in printed(count_labels(table(tmp_path, 0)), 80).split("\n")]
    assert max(len(line) for line in lines if "warning" not in line) <= 80
    rows = [line.split() for line in lines]
    assert ["weight", "numeric", "1", "2", "0", "to", "25"] in rows
    assert ["colour", "categorical", "0", "4", "blue,", "green,", "red"] in rows
    assert any(row[:4] == ["(no", "name)", "left", "out"] for row in rows)
    assert any(line.startswith("warning: ") and "column '(no name)' is left out" in line for line in lines)


@pytest.mark.parametrize("low", [5_500_000, 1_700_000_000, -999_999_990])
def test_no_two_edges_print_alike(low: int, tmp_path: Path) -> None:
    lines = printed(count_labels(table(tmp_path, low)), 80).split("\n")
    edges = [line.split()[0] for line in lines if ".." in line.partition(" ")[0]]
    assert edges == [f"{low + k}..{low + k + 1}" for k in range(12)]
    assert f"bins of 1, groups over {low}..{low + 12}" in "\n".join(lines)
