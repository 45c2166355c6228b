"""Tables as columns of cells, read from CSV or Parquet, with the line or row number of every row."""

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
"""Largest number of mistakes of a file that are listed; the others are counted."""

MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?"))
"""Texts that mark a missing value, in upper or lower case."""

RowMistake = tuple[int, str]
"""Number of a row, and what is wrong with it."""


@dataclass(frozen=True)
class Cells:
    """Table of N rows.

    Attributes:
        path: File of the table.
        columns: Name -> N cells. CSV gives texts; Parquet also gives numbers, None and other types.
        numbers: N row numbers: lines of a CSV file, counted from 1, or rows of a Parquet file, counted from 0.
        mistakes: Rows that could not be read. They are not among the N rows.
    """

    path: Path
    columns: Mapping[str, Sequence[Any]]
    numbers: tuple[int, ...]
    mistakes: tuple[RowMistake, ...] = ()

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def typed(self) -> bool:
        """True if the file stores types, so numbers differ from texts that look like numbers."""
        return is_parquet(self.path)

    def place(self, number: int) -> str:
        """Return the place of a row, for a message."""
        return place(self.path, number)

    def row(self, number: int) -> str:
        """Return the number of a row in words."""
        return f"row {number}" if self.typed else f"line {number}"

    def need(self, names: Iterable[str], todo: str = "") -> None:
        """Refuse a table that lacks one of the given columns.

        Args:
            names: Columns that must exist.
            todo: Advice that is added to the message.

        Raises:
            DataError: If columns are missing. The message names each one, with a similar name if there is one.
        """
        where = f"{self.path}" if self.typed else f"{self.path}:1"
        wrong = [
            f"{where}: has no column {name!r}: {did_you_mean(name, self.columns)}{todo}"
            for name in dict.fromkeys(names)
            if name not in self.columns
        ]
        if wrong:
            raise DataError("\n".join(wrong))

    def refuse(self, mistakes: Iterable[RowMistake]) -> None:
        """Raise all mistakes of the table at once, in the order of rows, including those found while reading it.

        Raises:
            DataError: If there is a mistake. The message has a line for each of the first 50.
        """
        by_row = sorted((*self.mistakes, *mistakes), key=lambda mistake: mistake[0])
        if not by_row:
            return
        lines = [f"{self.place(number)}: {text}" for number, text in by_row[:SHOWN]]
        more = [f"... and {len(by_row) - SHOWN} more mistakes"] if len(by_row) > SHOWN else []
        raise DataError("\n".join(lines + more))


def is_parquet(path: Path) -> bool:
    """Return whether a file is read as Parquet. All other files are read as CSV."""
    return path.suffix.lower() in (".parquet", ".pq")


def place(path: Path, number: int) -> str:
    """Return the place of a row, for a message.

    >>> place(Path("faces.csv"), 12), place(Path("faces.parquet"), 12)
    ('faces.csv:12', 'faces.parquet: row 12')
    """
    return f"{path}: row {number}" if is_parquet(path) else f"{path}:{number}"


def read_cells(path: Path) -> Cells:
    """Read a table from Parquet, or from CSV with a header, commas and UTF-8. Blank lines are skipped.

    Raises:
        DataError: If the table cannot be read or decoded, has no row, or has an unnamed column or two of one name.
    """
    cells = _read_parquet(path) if is_parquet(path) else _read_csv(path)
    if not len(cells):
        cells.refuse(())
        raise DataError(f"{path}: has no rows")
    return cells


def is_missing(cell: Any) -> bool:
    """Return whether a cell has no value.

    >>> [is_missing(cell) for cell in ("NA", " ", None, float("nan"), 0, "0")]
    [True, True, True, True, False, False]
    """
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def as_number(cell: Any) -> float | None:
    """Return the finite number in a cell, or None.

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
                mistakes.append((number, f"must have {len(header)} fields like the header, got {len(row)}"))
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
        byte = f"0x{content[error.start]:02x}"
        raise DataError(
            f"{path}:{line}: must be text in UTF-8, got the byte {byte}: save it as CSV in UTF-8"
        ) from error


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
        raise DataError(f"{where}: column names must be unique, got several columns named {', '.join(twice)}")


def _read_parquet(path: Path) -> Cells:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # opened as one file: given a path, pyarrow would make columns of folder names that contain "="
        with path.open("rb") as file:
            table = pq.read_table(file)
        names = table.column_names
        _once(names, str(path))
        columns = {name: table.column(name).to_pylist() for name in names}
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from error
    return Cells(path, columns, tuple(range(len(table))))
