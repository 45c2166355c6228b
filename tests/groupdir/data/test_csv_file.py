"""Slips of a CSV file: all of the header at once, files of another kind, rows without a value."""

import gzip
import io
import zipfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from groupdir.data.cells import UNNAMED, read_cells
from groupdir.errors import DataError


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "rows.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(folder: Path, content: str | bytes) -> list[str]:
    with pytest.raises(DataError) as error:
        read_cells(written(folder, content)).refuse(())
    return str(error.value).replace(f"{folder}/", "").split("\n")


def test_all_slips_of_a_header_come_at_once(tmp_path: Path) -> None:
    assert refused(tmp_path, 'a,,b,a,"c\nd",,\n1,2,3,4,5,6,7\n') == [
        "rows.csv:1: every column must have a name, got a comma at the end of the header: remove it from each line",
        "rows.csv:1: every column must have a name, got none for columns 2, 6: name them",
        "rows.csv:1: column names must be unique, got several columns named a: rename them",
        "rows.csv:1: column names must have no line breaks or control characters, got 'c\\nd'",
    ]


HEADERS = {
    "a comment": ("# made by X\na,b\n1,2\n", ":1: must be the header, got '# made by X', which looks like a comment"),
    "a comment with a comma": ("# made by X, 2024, v2\na,b\n1,2\n", "which looks like a comment: remove this line"),
    "a comment in C": ("// made by X\na,b\n1,2\n", "which looks like a comment"),
    "Excel's line of the separator": ("sep=;\na;b\n1;2\n", "got 'sep=;', which looks like a comment"),
    "a title": ("Patients of 2024\na,b\n1,2\n", "single name 'Patients of 2024' above rows of 2 fields: remove"),
    "no header": ("5.1,3.5,1.4,red\n4.9,3.0,1.4,red\n", "must be the header, got the numbers 5.1, 3.5, 1.4, red: add"),
    "semicolons": ("a;b\n1,5;2\n", "columns must be separated by commas, got ';'"),
    "tabs": ("a\tb\n1\t2\n", "columns must be separated by commas, got '\\t'"),
    "bars": ("a|b\n1|2\n", "columns must be separated by commas, got '|'"),
    "spaces": ("a b c\n1 2 3\n", "columns must be separated by commas, got spaces in 'a b c'"),
    "rows that are all longer": ("a,b\n1,2,3\n4,5,6\n", ":1: must be a header of 3 names like the fields of every row"),
    "a comma at the end": (
        "a,b\n1,2\n1,2,\n",
        ":3: must have 2 fields like the header, got 3: remove the comma",
    ),
    "a decimal comma": ("a,b\n1,2\n1,2,5\n", "a decimal comma must be a point"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), ":1: must be text in UTF-8, got UTF-16"),
    "UTF-16 without a mark": ("a,b\n1,2\n".encode("utf-16-le"), ":1: must be text in UTF-8, got a NUL character"),
    "gzip": (gzip.compress(b"a,b\n1,2\n"), ": must be text in UTF-8, got compressed with gzip"),
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1", "an old Excel workbook"),
    "HTML": ("<!DOCTYPE html>\n<p>log in</p>\n", "must be CSV, got what looks like HTML or XML"),
    "JSON": ('{"a": [1, 2]}\n', "must be CSV, got what looks like JSON"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_file_that_is_no_table_with_commas_is_refused(name: str, tmp_path: Path) -> None:
    content, says = HEADERS[name]
    assert says in "\n".join(refused(tmp_path, content))


def test_a_workbook_and_a_parquet_file_with_the_wrong_name(tmp_path: Path) -> None:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    assert "got an Excel workbook or a ZIP archive: save the table as CSV" in refused(tmp_path, memory.getvalue())[0]
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    assert "a Parquet file: name it .parquet" in refused(tmp_path, (tmp_path / "a.parquet").read_bytes())[0]


@pytest.mark.parametrize(
    "header", ["#id,a,b", "# of rooms,a,b", "1990,1991,1992", "0,1,target", "name,2001,2002", "a b,c,d"]
)
def test_an_odd_header_that_is_one(header: str, tmp_path: Path) -> None:
    assert list(read_cells(written(tmp_path, f"{header}\n1,2,3\n")).columns) == header.split(",")


def test_an_index_is_known_by_the_files_own_word(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]}, index=["r1", "r2"])
    frame.to_csv(tmp_path / "rows.csv")
    cells = read_cells(tmp_path / "rows.csv")
    assert (list(cells.columns), list(cells.index)) == ([UNNAMED, "a", "b"], [UNNAMED])
    pd.read_csv(tmp_path / "rows.csv").to_csv(tmp_path / "again.csv", index=False)
    assert list(read_cells(tmp_path / "again.csv").index) == ["Unnamed: 0"]
    pd.read_csv(tmp_path / "rows.csv").to_csv(tmp_path / "again.csv")
    assert list(read_cells(tmp_path / "again.csv").index) == ["Unnamed: 0", UNNAMED]
    for name, index in (("a.parquet", ["__index_level_0__"]), ("b.parquet", ["patient"]), ("c.parquet", [])):
        frame.index.name = "patient" if name == "b.parquet" else None
        (frame.reset_index(drop=True) if name == "c.parquet" else frame).to_parquet(tmp_path / name)
        assert list(read_cells(tmp_path / name).index) == index


def test_rows_without_any_value_are_refused_with_their_lines(tmp_path: Path) -> None:
    todo = "has no value in any column: remove the row, or fill it in"
    cells = read_cells(written(tmp_path, "a,b\n1,2\n,\n\n3,4\nNA, \n,\n\n"))
    assert cells.numbers == (2, 3, 5, 6, 7)
    with pytest.raises(DataError) as error:
        cells.refuse([(3, "something else")])
    assert str(error.value).replace(f"{tmp_path}/", "").split("\n") == [
        f"rows.csv:{line}: {todo}" for line in (3, 6, 7)
    ]
    pq.write_table(pa.table({"a": [1, None], "b": ["x", None]}), tmp_path / "a.parquet")
    assert read_cells(tmp_path / "a.parquet").mistakes == ((1, todo),)
    frame = pd.DataFrame({"a": [1.0, None]}, index=["r1", "r2"])
    frame.to_parquet(tmp_path / "b.parquet")
    assert read_cells(tmp_path / "b.parquet").mistakes == ((1, todo),)  # an index is no value


def test_a_blank_line_of_a_single_column_is_a_row(tmp_path: Path) -> None:
    cells = read_cells(written(tmp_path, 'a\n1\n\n""\n2\n\n\n'))
    assert (cells.columns["a"], cells.numbers) == (["1", "", "", "2"], (2, 3, 4, 5))
    assert [line for line, _ in cells.mistakes] == [3, 4]
