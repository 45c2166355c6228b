"""Tables as columns of cells, from CSV or Parquet, each row with the number that a person finds it by."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from groupdir.errors import DataError
from groupdir.registry import did_you_mean

SHOWN = 50
"""So many mistakes of a file are listed; the others are counted."""

MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?"))
"""Texts that mean that there is no value, in any case."""

RowMistake = tuple[int, str]
"""A row's number, and what is wrong with it."""


@dataclass(frozen=True)
class Cells:
    """A table.

    Attributes:
        path: Its file.
        columns: Name -> N cells: texts of CSV; of Parquet also numbers, None and whatever else it holds.
        numbers: N row numbers: lines of a CSV file, counted from 1, or rows of Parquet, from 0.
        mistakes: Rows that could not be read, and are not among the N.
    """

    path: Path
    columns: Mapping[str, Sequence[Any]]
    numbers: tuple[int, ...]
    mistakes: tuple[RowMistake, ...] = ()

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def typed(self) -> bool:
        """Whether the file says which cells are numbers and which are texts."""
        return is_parquet(self.path)

    def place(self, number: int) -> str:
        """Where a row stands, for a message."""
        return place(self.path, number)

    def row(self, number: int) -> str:
        """A row's number in words."""
        return f"row {number}" if self.typed else f"line {number}"

    def need(self, names: Iterable[str], todo: str = "") -> None:
        """Refuses a table that lacks one of these columns.

        Args:
            names: The columns.
            todo: What a person may do beside adding them.

        Raises:
            DataError: With every one that is missing, and the name it may have.
        """
        where = f"{self.path}" if self.typed else f"{self.path}:1"
        wrong = [
            f"{where}: must have the column {name!r}, and has not: {did_you_mean(name, self.columns)}{todo}"
            for name in dict.fromkeys(names)
            if name not in self.columns
        ]
        if wrong:
            raise DataError("\n".join(wrong))

    def refuse(self, mistakes: Iterable[RowMistake]) -> None:
        """Raises all mistakes of the table at once, those of its reading too, by row; does nothing if there is none.

        Raises:
            DataError: A line for each, the first 50.
        """
        found = sorted((*self.mistakes, *mistakes), key=lambda mistake: mistake[0])
        if not found:
            return
        lines = [f"{self.place(number)}: {text}" for number, text in found[:SHOWN]]
        more = [f"... and {len(found) - SHOWN} more mistakes"] if len(found) > SHOWN else []
        raise DataError("\n".join(lines + more))


def is_parquet(path: Path) -> bool:
    """Whether a file is read as Parquet; all others are CSV."""
    return path.suffix.lower() in (".parquet", ".pq")


def place(path: Path, number: int) -> str:
    """Where a row stands.

    >>> place(Path("faces.csv"), 12), place(Path("faces.parquet"), 12)
    ('faces.csv:12', 'faces.parquet: row 12')
    """
    return f"{path}: row {number}" if is_parquet(path) else f"{path}:{number}"


def read_cells(path: Path) -> Cells:
    """Reads a table: Parquet, or CSV with a header, commas and UTF-8; lines without any text are left out.

    Raises:
        DataError: It cannot be read or decoded, has no row, no name for a column, or one name for two.
    """
    cells = _read_parquet(path) if is_parquet(path) else _read_csv(path)
    if not len(cells):
        cells.refuse(())
        raise DataError(f"{path}: holds no row")
    return cells


def is_missing(cell: Any) -> bool:
    """Whether a cell holds no value.

    >>> [is_missing(cell) for cell in ("NA", " ", None, float("nan"), 0, "0")]
    [True, True, True, True, False, False]
    """
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def as_number(cell: Any) -> float | None:
    """The finite number that a cell holds, or None.

    >>> [as_number(cell) for cell in (" 3.5", 2, "3,5", "inf", "1_000", True)]
    [3.5, 2.0, None, None, None, None]
    """
    if isinstance(cell, bool) or not isinstance(cell, str | int | float | Decimal):
        return None
    try:
        value = float(cell)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) and not (isinstance(cell, str) and "_" in cell) else None


def _read_csv(path: Path) -> Cells:
    text = _decoded(path)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows, numbers, mistakes = [], [], []
    header: list[str] = []
    start = 1
    try:
        for row in reader:
            number, start = start, reader.line_num + 1
            if not any(cell.strip() for cell in row):
                continue
            if not header:
                header = _header([name.strip() for name in row], f"{path}:{number}")
            elif len(row) != len(header):
                mistakes.append((number, f"must have {len(header)} fields as the header has, got {len(row)}"))
            else:
                rows.append(row)
                numbers.append(number)
    except csv.Error as error:
        raise DataError(f"{path}:{start}: cannot be read as CSV: {error}") from error
    if not header:
        raise DataError(f"{path}: is empty: it must hold a header and rows, separated by commas")
    columns = {name: [row[index] for row in rows] for index, name in enumerate(header)}
    return Cells(path, columns, tuple(numbers), tuple(mistakes))


def _decoded(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        came = f"got the byte 0x{content[error.start]:02x}"
        raise DataError(f"{path}:{line}: must be text in UTF-8, {came}: save it as CSV in UTF-8") from error


def _header(names: list[str], where: str) -> list[str]:
    if len(names) == 1 and (other := next((mark for mark in ";\t|" if mark in names[0]), None)):
        raise DataError(f"{where}: columns must be separated by commas, got {other!r}: save it with commas")
    if "" in names:
        raise DataError(f"{where}: every column must have a name, got none for column {names.index('') + 1}")
    _once(names, where)
    return names


def _once(names: Collection[str], where: str) -> None:
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise DataError(f"{where}: a column must have a name of its own, got several of {', '.join(twice)}")


def _read_parquet(path: Path) -> Cells:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # read as one file: of a folder or a name with "=" in it, pyarrow would make columns that nobody wrote
        with path.open("rb") as file:
            table = pq.read_table(file)
        names = table.column_names
        _once(names, str(path))
        columns = {name: table.column(name).to_pylist() for name in names}
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from error
    return Cells(path, columns, tuple(range(len(table))))
