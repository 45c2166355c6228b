"""AgeDB-DIR: the published list where it is, and small trees of the same layout."""

import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from groupdir.config.datasets import AgeDBConfig
from groupdir.data.base import SplitName
from groupdir.data.photos.agedb import AgeDB
from groupdir.errors import DataError
from groupdir.labels import LabelGroups
from groupdir.metrics import SHOTS

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")


def agedb(root: Path, **options: Any) -> AgeDB:
    return AgeDB(AgeDBConfig(name="agedb", root=str(root), **{"size": 32} | options))


def refused(call: Any, *arguments: Any) -> list[str]:
    with pytest.raises(DataError) as error:
        call(*arguments)
    return str(error.value).split("\n")


# The published list


@pytest.fixture(scope="module")
def real(shared_data: Path) -> AgeDB:
    return agedb(shared_data)


def test_the_published_counts(real: AgeDB) -> None:
    assert [len(real.labels(split)) for split in SPLITS] == [12_208, 2_140, 2_140]
    train = real.labels("train")
    assert (train.min(), train.max(), len(np.unique(train))) == (1, 101, 100)
    for split in ("val", "test"):
        codes = real.shots.of(real.labels(split))  # type: ignore[arg-type]
        assert [int((codes == code).sum()) for code in range(3)] == [1530, 448, 162]


def test_the_published_shots(real: AgeDB) -> None:
    test_ages = np.unique(real.labels("test"))
    of = {shot: {int(age) for age in test_ages[real.shots.of(test_ages) == code]} for code, shot in enumerate(SHOTS)}
    assert of["many"] == {*range(20, 69), 70, 72}
    assert of["median"] == {17, 18, 19, 69, 71, *range(73, 83), 85}  # 85 has exactly 20


def test_the_published_groups(real: AgeDB) -> None:
    counts = {
        groups: np.bincount(
            LabelGroups.equal_width(real.targets.low, real.targets.high, groups).assign(real.labels("train"))
        ).tolist()
        for groups in (2, 5, 10, 15, 20, 25, 40, 50)
    }
    assert counts[5] == [231, 4913, 4609, 2244, 211]
    assert counts[10] == [24, 207, 1901, 3012, 2564, 2045, 1451, 793, 172, 39]
    assert all(len(found) == groups and min(found) > 0 for groups, found in counts.items())


def test_a_tree_of_the_real_list_in_other_letters(shared_data: Path, tmp_path: Path) -> None:
    """Every file is found by its id, whatever an unzip made of the 131 names that are not ASCII."""
    lines = (shared_data / "agedb-dir/agedb.csv").read_text(encoding="utf-8").split("\n")
    (tmp_path / "agedb.csv").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "AgeDB").mkdir()
    strange = 0
    for line in lines[1:]:
        if line:
            name = line.split(",")[1].removeprefix("AgeDB/")
            strange += not name.isascii()
            (tmp_path / "AgeDB" / name.encode("ascii", "replace").decode()).touch()
    assert strange == 131
    data = agedb(tmp_path)
    for split in SPLITS:
        rows = data.rows(split)
        assert all(f"_{age:g}_" in file.name for file, age in zip(rows.files, rows.y, strict=True))


# A small tree


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """12 pictures; one name is listed in other letters than the file's, and one file is in bytes that are no UTF-8."""
    folder = tmp_path / "agedb-dir"
    (folder / "AgeDB").mkdir(parents=True)
    lines = ["age,path,split"]
    for k in range(12):
        age = (20, 35, 101)[k % 3]
        Image.new("RGB", (12, 10), (2 * age, k, 0)).save(folder / f"AgeDB/{k}_Name_{age}_{'mf'[k % 2]}.jpg", "JPEG")
        listed = "StВphane" if k == 4 else "Name"
        lines.append(f"{age},AgeDB/{k}_{listed}_{age}_{'mf'[k % 2]}.jpg,{('train', 'train', 'val', 'test')[k // 3]}")
    (folder / "AgeDB/7_Name_35_f.jpg").rename(os.fsdecode(os.fsencode(folder) + b"/AgeDB/7_St\x90phane_35_f.JPG"))
    (folder / "AgeDB/Thumbs.db").touch()
    (folder / "AgeDB/._7_Name_35_f.jpg").touch()
    (folder / "agedb.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_pictures_are_found_by_their_id(tree: Path) -> None:
    for root in (tree, tree.parent):
        data = agedb(root)
        assert data.labels("train").tolist() == [20, 35, 101] * 2
        assert [file.name for file in data.rows("train").files][4] == "4_Name_35_m.jpg"
        assert data.rows("val").numbers == (8, 9, 10)
    pictures = data.split("train").inputs[0]
    assert pictures.shape[0] == 6
    assert pictures.shape[1:] == (32, 32, 3)


def test_labels_and_shots_need_no_pictures(tree: Path) -> None:
    for file in (tree / "AgeDB").iterdir():
        file.unlink()
    (tree / "AgeDB").rmdir()
    data = agedb(tree)
    assert data.labels("test").tolist() == [20, 35, 101]
    assert data.shots.few == (20, 35, 101)
    (line,) = refused(data.rows, "train")
    assert line.startswith(f"{tree}/AgeDB: must hold the pictures, <id>_<name>_<age>_<m|f>.jpg: No such file")


def test_every_picture_that_is_wrong_is_named(tree: Path) -> None:
    pictures = tree / "AgeDB"
    (pictures / "0_Name_20_m.jpg").unlink()
    (pictures / "1_Name_35_f.jpg").rename(pictures / "1_Name_36_f.jpg")
    (pictures / "2_Other_101_m.jpg").touch()
    (pictures / "9_Name_20_f.jpg").unlink()  # of test, which was not asked for
    missing, other_age, two = (line.removeprefix(f"{tree}/") for line in refused(agedb(tree).rows, "train"))
    one = "one picture with the id of"
    assert missing == f"agedb.csv:2: {one} 0_Name_20_m.jpg must be in AgeDB/, got none: unpack it there"
    assert other_age.startswith(f"agedb.csv:3: {one} 1_Name_35_f.jpg must be in AgeDB/ and have age 35, got 1_Name_36")
    assert two.startswith(f"agedb.csv:4: {one} 2_Name_101_m.jpg must be in AgeDB/, got 2_Name_101_m.jpg, 2_Other_101")


def test_a_folder_without_the_list(tmp_path: Path) -> None:
    (line,) = refused(agedb, tmp_path)
    assert (
        line == f"data.root: must be a folder that holds agedb.csv, got {tmp_path}: "
        "neither agedb.csv nor agedb-dir/agedb.csv exists there"
    )
    (tmp_path / "agedb.csv").write_text("age,path\n1,AgeDB/0_A_1_m.jpg\n", encoding="utf-8")
    (line,) = refused(agedb, tmp_path)
    assert line.endswith("agedb.csv:1: has no column 'split': Known: age, path")


def test_corrupted_lists_are_read_or_refused(tree: Path) -> None:
    whole = (tree / "agedb.csv").read_bytes()
    draw = random.Random(0)
    for _ in range(150):
        content = bytearray(whole)
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(content))
            content[at : at + draw.randint(0, 3)] = draw.randbytes(draw.randint(0, 3))
        (tree / "agedb.csv").write_bytes(content)
        try:
            data = agedb(tree)
            for split in SPLITS:
                data.rows(split)
        except DataError as error:
            assert str(tree) in str(error)  # noqa: PT017 - both ends are right
