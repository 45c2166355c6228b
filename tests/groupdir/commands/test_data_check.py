"""`groupdir data check`: what the splits of every data set share, counted right, and what to do about it."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from groupdir.commands.data_check import DataCheck, check_data, summary
from groupdir.errors import ConfigError
from groupdir.registry import TABLES
from tests.command_line import groupdir
from tests.groupdir.data.conftest import HEADER, write_stsb
from tests.groupdir.data.test_conformance import MADE

SPLITS = ("train", "train", "val", "test")


def write_yaml(folder: Path, **data: Any) -> Path:
    path = folder / "trial.yaml"
    path.write_text(yaml.safe_dump({"data": data, "encoder": {"name": "mlp"}, "method": {"name": "vanilla"}}))
    return path


def counts(check: DataCheck) -> dict[tuple[str, str, str], int]:
    return {(item.name.split(" (")[0], item.first, item.second): item.count for item in check.overlaps if item.count}


def write_table(folder: Path, rows: list[tuple[Any, ...]]) -> Path:
    with (folder / "t.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return write_yaml(folder, name="table", root=str(folder), manifest="t.csv", group="id")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """80 rows of 40 people, whose two visits are in one split, but for three kinds of mistakes."""
    rng = np.random.default_rng(0)
    rows = [[f"p{k // 2}", f"{rng.normal():.4f}", "ab"[k % 2], k, SPLITS[k // 2 % 4]] for k in range(80)]
    rows[6][1:3] = rows[0][1:3]  # a test row has the inputs of a training row, and another target
    rows[7][1:3] = [f"{float(rows[1][1]) + 0.0005:.4f}", rows[1][2]]  # nearly
    rows[4][1:3] = ["", "new"]
    rows[14][0] = "p4"  # a person of training is tested too
    return write_table(tmp_path, [("id", "size", "colour", "target", "split"), *rows])


@pytest.mark.filterwarnings("ignore:.*values of 'id' are in several splits")
def test_rows_of_a_table(table: Path) -> None:
    check = check_data(table)
    assert check.sizes == {"train": 40, "val": 20, "test": 20}
    near = "numbers within 0.001 standard deviations"
    assert counts(check) == {
        ("the same id", "test", "train"): 1,
        ("equal inputs", "test", "train"): 1,
        (near, "test", "train"): 2,
    }
    assert check.affected("test", "train").sum() == 3
    assert not check.clean
    examples = {item.name: item.examples for item in check.overlaps if item.count}
    folder = table.parent
    assert examples["equal inputs"] == ((f"{folder}/t.csv:8", f"{folder}/t.csv:2"),)
    text = "\n".join(summary(check))
    assert text.startswith("3 (15.0 %) of the test samples have a match in train or val")
    assert "data.group" in text


def test_a_list_of_pictures(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines, pictures = ["path,target,split,who"], []
    for number in range(40):
        blocks = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        pictures.append(Image.fromarray(blocks).resize((80, 80), Image.Resampling.NEAREST))
        lines.append(f"{number}.png,{number},{SPLITS[number % 4]},p{number // 4}x{number % 4}")
    pictures[7] = pictures[4]  # test, train
    pictures[11] = pictures[8].resize((60, 60), Image.Resampling.BILINEAR)  # test, train
    pictures[14] = pictures[12]  # val, train
    for number, picture in enumerate(pictures):
        picture.save(tmp_path / f"{number}.png")
    (tmp_path / "19.png").write_bytes(b"")
    (tmp_path / "manifest.csv").write_text("\n".join(lines), encoding="utf-8")
    path = write_yaml(tmp_path, name="images", root=str(tmp_path), size=64, group="who")
    refused = check_data(path)
    assert list(refused.not_compared) == ["the same pixels", "nearly equal pictures (r >= 0.99)"]
    assert not refused.clean
    assert "but some comparisons failed, see above" in summary(refused)
    with pytest.warns(UserWarning, match=r"1 of 40 pictures cannot be used \(test 1\)"):
        check = check_data(path, ["data.broken=skip"])
    assert counts(check) == {
        ("the same pixels", "test", "train"): 1,
        ("the same pixels", "val", "train"): 1,
        ("nearly equal pictures", "test", "train"): 2,
        ("nearly equal pictures", "val", "train"): 1,
    }
    (near,) = [item for item in check.overlaps if item.count == 2]
    assert np.flatnonzero(near.matches >= 0).tolist() == [1, 2], "rows of test, the broken one among them"
    assert near.examples[1] == (f"{tmp_path}/manifest.csv:13 11.png", f"{tmp_path}/manifest.csv:10 8.png")


def test_sentences(tmp_path: Path) -> None:
    folder = write_stsb(tmp_path)
    pairs = {
        "train_new": ["a b|c d", "e f|g h", "i|j"],
        "dev_new": ["k|l", "m|n"],
        "test_new": ["c d|a b", "e f|o", "p|q", "m|r"],
    }
    for name, texts in pairs.items():
        rows = ["\t".join(["0", "g", "f", "2012", "0", "n", "n", *text.split("|"), "1.0"]) for text in texts]
        (folder / f"{name}.tsv").write_text("\n".join([HEADER, *rows]), encoding="utf-8")
    check = check_data(write_yaml(tmp_path, name="stsb", root=str(tmp_path)))
    assert counts(check) == {
        ("the same pair of sentences", "test", "train"): 1,
        ("a common sentence", "test", "train"): 2,
        ("a common sentence", "test", "val"): 1,
    }
    assert summary(check)[0].startswith("3 (75.0 %) of the test samples")
    assert "keeps its published split" in summary(check)[1]


def test_figures_of_the_real_data(shared_data: Path, tmp_path: Path) -> None:
    agedb = check_data(write_yaml(tmp_path, name="agedb", root=str(shared_data)))
    assert counts(agedb)["the same person", "test", "train"] == agedb.sizes["test"] == 2140
    stsb = check_data(write_yaml(tmp_path, name="stsb", root=str(shared_data)))
    assert counts(stsb)["a common sentence", "test", "train"] == 194
    assert counts(stsb)["the same pair of sentences", "test", "train"] == 19


@pytest.mark.parametrize("name", TABLES["data"])
def test_every_data_set_is_compared(name: str, tmp_path: Path) -> None:
    check = check_data(write_yaml(tmp_path, name=name, **MADE[name](tmp_path)))
    assert {(item.first, item.second) for item in check.overlaps} == {
        ("test", "train"),
        ("test", "val"),
        ("val", "train"),
    }
    assert not check.not_compared
    for item in check.overlaps:
        assert len(item.matches) == check.sizes[item.first]
        assert item.matches.max() < check.sizes[item.second]


def test_no_test_split_and_a_benchmark(tmp_path: Path) -> None:
    rows = [(f"p{k}", k * k, "x", k, "train" if k % 2 else "val") for k in range(20)]
    path = write_table(tmp_path, [("id", "size", "colour", "target", "split"), *rows])
    check = check_data(path)
    assert check.sizes == {"train": 10, "val": 10}
    assert check.clean
    assert summary(check) == ["no val sample has a match in train"]
    path.write_text("rows: {}\n")
    with pytest.raises(ConfigError, match="must be a trial or a search space, got a benchmark"):
        check_data(path)


@pytest.mark.parametrize(("arguments", "code"), [((), 0), (("--strict",), 1)])
@pytest.mark.filterwarnings("ignore:.*values of 'id' are in several splits")
def test_the_exit_code_is_nonzero_only_if_asked(arguments: tuple[str, ...], code: int, table: Path) -> None:
    done = groupdir("data", "check", table, *arguments)
    assert done.returncode == code, done.stderr
    assert "3 (15.0 %) of the test samples have a match" in " ".join(done.stdout.split())
    assert "the same id" in done.stdout
