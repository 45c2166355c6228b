"""Tables from CSV and Parquet: what is read, with which row numbers, and what is refused."""

import datetime as dt
import os
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupdir.data.cell_values import as_number, is_missing, is_missing_number
from groupdir.data.cells import SHOWN, Cells, read_cells
from groupdir.errors import DataError


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "rows.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refused(path: Path) -> str:
    with pytest.raises(DataError) as error:
        read_cells(path)
    return str(error.value)


def test_csv_keeps_its_line_numbers(tmp_path: Path) -> None:
    text = '\ufeff a ,b\r\n1,"two\nlines, ""quoted"""\r\n\r\n \r\n3,é\n'
    cells = read_cells(written(tmp_path, text))
    assert cells.columns == {"a": ["1", "3"], "b": ['two\nlines, "quoted"', "é"]}
    assert cells.numbers == (2, 6)
    assert cells.place(6) == f"{tmp_path}/rows.csv:6"


def test_parquet_counts_rows_from_0(tmp_path: Path) -> None:
    path = tmp_path / "part=3" / "rows.parquet"  # a name that pyarrow would read as a column of a data set
    path.parent.mkdir()
    texts = pa.array(["x", "y", "x"]).dictionary_encode()
    pq.write_table(pa.table({"n": [1, None, 3], "text": texts}), path, row_group_size=2)
    cells = read_cells(path)
    assert cells.columns == {"n": [1, None, 3], "text": ["x", "y", "x"]}
    assert cells.numbers == (0, 1, 2)
    assert cells.place(2) == f"{path}: row 2"


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "nothing": ("", ": is empty: it must hold a header and rows"),
    "blank lines": ("\n \n,,\n", ": is empty"),
    "a header alone": ("a,b\n", ": has no rows"),
    "other letters": (
        b"a,b\n1,2\n" + "3,\xe9\n".encode("latin-1"),
        ":3: must be text in UTF-8, got the byte 0xe9",
    ),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), ":1: must be text in UTF-8"),
    "semicolons": ("a;b\n1;2\n", ":1: columns must be separated by commas, got ';'"),
    "tabs": ("a\tb\n1\t2\n", ":1: columns must be separated by commas, got '\\t'"),
    "a column without a name": ("a,,c\n1,2,3\n", ":1: every column must have a name, got none for column 2"),
    "a name twice": ("\na,b,a\n1,2,3\n", ":2: column names must be unique, got several columns named a"),
    "an open quote": ('a,b\n1,2\n3,"4\n5,6\n', ":3: cannot be read as CSV: unexpected end of data"),
    "text after a quote": ('a,b\n1,"2"x\n', ":2: cannot be read as CSV"),
    "only broken rows": ("a,b\n1\n1,2,3\n", ":2: must have 2 fields like the header, got 1\n"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_broken_csv_is_refused_with_its_line(case: str, tmp_path: Path) -> None:
    content, says = REFUSED[case]
    path = written(tmp_path, content)
    assert refused(path).startswith(f"{path}{says}")


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()
    for name in ("any.csv", "any.parquet"):
        (folder / name).write_bytes(content)
        try:
            assert len(read_cells(folder / name))
        except DataError as error:
            assert str(error).startswith(str(folder / name))  # noqa: PT017 - both ends are right


def test_a_file_that_is_missing_or_a_folder(tmp_path: Path) -> None:
    assert refused(tmp_path / "no.csv") == f"{tmp_path}/no.csv: cannot be read: No such file or directory"
    assert "cannot be read: Is a directory" in refused(tmp_path)
    for name in ("no.parquet", "cut.parquet"):
        (tmp_path / "cut.parquet").write_bytes(b"PAR1 but no more")
        assert refused(tmp_path / name).startswith(f"{tmp_path}/{name}: cannot be read as Parquet: ")
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "none.parquet")
    assert refused(tmp_path / "none.parquet") == f"{tmp_path}/none.parquet: has no rows"


def test_texts_in_parquet_that_are_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": ["plain", "unplain"]}), path, compression="none", use_dictionary=False)
    path.write_bytes(path.read_bytes().replace(b"unplain", b"unpl\xffin"))
    assert "t.parquet: cannot be read as Parquet" in refused(path)


def test_columns_that_are_missing_are_all_named() -> None:
    cells = Cells(Path("rows.csv"), {"Target": ["1"], "path": ["a"]}, (2,))
    cells.need(["path"])
    with pytest.raises(DataError) as error:
        cells.need(["target", "path", "split"], "; or set it")
    first, second = str(error.value).split("\n")
    assert first.startswith("rows.csv:1: has no column 'target': did you mean 'Target'? Known: ")
    assert second == "rows.csv:1: has no column 'split': Known: Target, path; or set it"


def test_mistakes_come_in_the_order_of_rows_and_are_counted() -> None:
    cells = Cells(Path("rows.csv"), {"a": ["1"]}, (2,), ((4, "is short"),))
    with pytest.raises(DataError) as error:
        cells.refuse([(9, "no number"), (3, "no name")])
    assert str(error.value).split("\n") == ["rows.csv:3: no name", "rows.csv:4: is short", "rows.csv:9: no number"]
    Cells(Path("rows.csv"), {"a": ["1"]}, (2,)).refuse([])
    with pytest.raises(DataError) as error:
        cells.refuse((row, "no number") for row in range(1000))
    assert len(str(error.value).split("\n")) == SHOWN + 1
    assert str(error.value).endswith(f"... and {1001 - SHOWN} more mistakes")


def test_numbers_and_what_is_missing() -> None:
    assert as_number(Decimal("2.5")) == 2.5
    assert as_number("1e3") == 1000
    for cell in ("", "x", "0x10", "1e999", 10**400, float("inf"), float("nan"), None, [1], dt.date(2024, 1, 1)):
        assert as_number(cell) is None
    everywhere = (
        "",
        "N/A",
        "null",
        "None",
        "NaN",
        "#N/A",
        "#DIV/0!",
        "#VALUE!",
        "#REF!",
        "<NA>",
        "NaT",
        Decimal("nan"),
    )
    assert all(is_missing(cell) and is_missing_number(cell) for cell in everywhere)
    among_numbers = ("-", ".", "?", ".a", ".z", ".Z", "._", "–", "--", "..")
    assert all(is_missing_number(cell) and not is_missing(cell) for cell in among_numbers)
    assert not any(is_missing_number(cell) for cell in (0, "0", False, [], "nano", ".5", "-1", ".ab", "a"))


def test_what_is_no_ordinary_file_is_refused(tmp_path: Path) -> None:
    """A device has no end, and opening a pipe waits for ever."""
    os.mkfifo(tmp_path / "pipe")
    for path in (Path("/dev/zero"), tmp_path / "pipe"):
        with pytest.raises(DataError, match=f"{path}: must be an ordinary file, got a "):
            read_cells(path)
