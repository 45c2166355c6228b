"""Manifests: targets, pictures and splits of rows, and every mistake at once."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groupdir.data.manifest import Manifest, Names, read_manifest
from groupdir.errors import DataError

TABLE = Names(path=None)


def manifest(folder: Path, text: str, names: Names | None = None) -> Manifest:
    path = folder / "faces.csv"
    path.write_text(text, encoding="utf-8")
    return read_manifest(path, names or Names())


def refused(folder: Path, text: str, names: Names | None = None) -> list[str]:
    with pytest.raises(DataError) as error:
        manifest(folder, text, names)
    return str(error.value).replace(f"{folder}/", "").split("\n")


def test_rows_of_a_split_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = "path,target,split\nd.jpg,4,test\n\n b é.jpg,2.5,Train \na.jpg,1,VALID\nsub/c.jpg,3e0,train\n/x.jpg,5,dev\n"
    found = manifest(tmp_path, text)
    assert found.y.dtype == np.float64
    assert found.splits == ("test", "train", "val", "train", "val")
    rows = found.rows(found.of_split("train"), Path("root"))
    assert rows.files == (Path("root/b é.jpg"), Path("root/sub/c.jpg"))
    assert rows.y.tolist() == [2.5, 3]
    assert rows.numbers == (4, 6)
    assert rows.place(1).endswith("faces.csv:6")
    assert found.rows(found.of_split("val"), Path("root")).files[1] == Path("/x.jpg")


def test_columns_by_other_names(tmp_path: Path) -> None:
    text = "file,age,fold,target\na.jpg,31,train,9\nb.jpg,32,dev,9\n"
    found = manifest(tmp_path, text, Names("age", "file", "fold"))
    assert found.y.tolist() == [31, 32]
    assert manifest(tmp_path, text, Names("age", "file", None)).splits is None
    assert manifest(tmp_path, text, Names("age", "file")).splits is None
    (line,) = refused(tmp_path, text, Names("age", "file", "folds"))
    assert line.startswith("faces.csv:1: has no column 'folds': did you mean 'fold'? Known: age,")
    assert line.endswith("; or name another one in the section `data`")


def test_a_split_of_nearly_that_name_is_not_passed_over(tmp_path: Path) -> None:
    for name in ("Split", "SPLIT", "splits"):
        (line,) = refused(tmp_path, f"path,target,{name}\na.jpg,1,train\n")
        assert line.startswith(f"faces.csv: has no column 'split' but {name!r}: set data.split to that name")


def test_every_mistake_at_once(tmp_path: Path) -> None:
    text = (
        "path,target,split\n"
        "a.jpg,1,train\n"
        "b.jpg,,train\n"
        "c.jpg,old,val\n"
        "d.jpg,inf,val\n"
        ",5,tset\n"
        "./a.jpg,6,\n"
        "f.jpg,7\n"
        "g.jpg,1e39,val\n"
    )
    known = "dev, test, train, val, valid, validation"
    assert refused(tmp_path, text) == [
        "faces.csv:3: target is missing: fill it in, or remove the row",
        "faces.csv:4: target must be a finite number, got 'old'",
        "faces.csv:5: target must be a finite number, got 'inf'",
        "faces.csv:6: path is empty: it must name a picture",
        f"faces.csv:6: split must be a split, got 'tset': did you mean 'test'? Known: {known}",
        "faces.csv:7: path './a.jpg' is listed in line 2 already: remove one of the two rows",
        "faces.csv:7: split is empty: it must be train, val or test",
        "faces.csv:8: must have 3 fields like the header, got 2",
        "faces.csv:9: target must be a finite number, got '1e39'",
    ]


def test_the_same_of_parquet(tmp_path: Path) -> None:
    path = tmp_path / "faces.parquet"
    columns = {
        "path": ["a.jpg", None, "a.jpg", "b\0.jpg", "c.jpg"],
        "target": [1.5, float("nan"), None, 2.0, float("inf")],
        "split": ["train", "val", None, "x", "val"],
    }
    pq.write_table(pa.table(columns), path)
    with pytest.raises(DataError) as error:
        read_manifest(path, Names())
    lines = [line.removeprefix(f"{path}: ") for line in str(error.value).split("\n")]
    assert [" ".join(line.split(" ")[:3]) for line in lines] == [
        "row 1: target",
        "row 1: path",
        "row 2: target",
        "row 2: path",
        "row 2: split",
        "row 3: path",
        "row 3: split",
        "row 4: target",
    ]
    pq.write_table(pa.table({"path": [1, 2], "target": ["a", "b"], "split": [1, 2]}), path)
    with pytest.raises(DataError, match="path must name a picture, got 1"):
        read_manifest(path, Names())


def test_columns_that_are_missing_are_named_together(tmp_path: Path) -> None:
    lines = refused(tmp_path, "file,age\na.jpg,1\n")
    assert [line.split(": did")[0].split(": Known")[0] for line in lines] == [
        "faces.csv:1: has no column 'target'",
        "faces.csv:1: has no column 'path'",
    ]
    (line,) = refused(tmp_path, "age,path\n1,a\n", Names("age", split_needed=True, options=False))
    assert line == "faces.csv:1: has no column 'split': Known: age, path"


def test_training_and_validation_must_be_there_but_test_only_when_it_is_read(tmp_path: Path) -> None:
    rows = "path,target,split\na.jpg,1,train\nb.jpg,2,val\n"
    found = manifest(tmp_path, rows)
    with pytest.raises(DataError, match=r"faces\.csv: must have rows of split test, got none"):
        found.of_split("test")
    assert refused(tmp_path, rows.replace("val", "test")) == ["faces.csv: must have rows of split val, got none"]
    assert refused(tmp_path, rows.replace("train", "test")) == ["faces.csv: must have rows of split train, got none"]


def test_a_table_has_no_pictures(tmp_path: Path) -> None:
    found = manifest(tmp_path, "target,x\n1,a\n2,a\n", TABLE)
    assert found.files == ()
    assert found.cells.columns["x"] == ["a", "a"]
