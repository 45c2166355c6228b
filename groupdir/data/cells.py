"""Tables as columns of cells, read from CSV or Parquet, with the line or row number of every row."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groupdir.data.cell_values import is_missing
from groupdir.data.csv_file import RowMistake, read_csv
from groupdir.errors import DataError
from groupdir.files.parquet import parse_parquet
from groupdir.registry import did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 50
"""Largest number of mistakes of a file that are listed; the others are counted."""

UNNAMED = "(no name)"
"""Name of a first column of a CSV file without a name."""

_REREAD_INDEX = re.compile(r"Unnamed: 0(\.\d+)*|__index_level_\d+__")


@dataclass(frozen=True)
class Cells:
    """Table of N rows.

    Attributes:
        path: File of the table.
        columns: Name -> N cells. CSV gives texts; Parquet also gives numbers, None and other types.
        numbers: N row numbers: lines of a CSV file, counted from 1, or rows of a Parquet file, counted from 0.
        mistakes: Rows that could not be read, which are not among the N rows, and rows without any value.
        index: Name of each column that the file marks as an index of the rows, and the reason. An index is no feature.
    """

    path: Path
    columns: Mapping[str, Sequence[Any]]
    numbers: tuple[int, ...]
    mistakes: tuple[RowMistake, ...] = ()
    index: Mapping[str, str] = field(default_factory=dict)

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
        if next(iter(self.columns)).startswith("#"):
            todo += "; if the first line is a comment, remove it"
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
        empty = {number for number, _ in self.mistakes} & {*self.numbers}  # an empty row gets no other message
        others = (mistake for mistake in mistakes if mistake[0] not in empty)
        by_row = sorted((*self.mistakes, *others), key=lambda mistake: mistake[0])
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
    """Read a table from Parquet, or from CSV with a header, commas and UTF-8. Blank lines of a CSV file are skipped.

    Raises:
        DataError: If the table is no ordinary file, cannot be read or decoded, has no row, or its header has slips.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):  # a device has no end; opening a pipe waits for ever
        raise DataError(f"{path}: must be an ordinary file, got a device or a pipe")
    cells = _read_parquet(path) if is_parquet(path) else _read_csv(path)
    if not len(cells):
        cells.refuse(())
        raise DataError(f"{path}: has no rows")
    reread = {name: "pandas gives this name to an index" for name in cells.columns if _REREAD_INDEX.fullmatch(name)}
    cells = replace(cells, index={**reread, **cells.index})
    return replace(cells, mistakes=(*cells.mistakes, *_empty_rows(cells)))


def _empty_rows(cells: Cells) -> list[RowMistake]:
    """Return the rows that hold no value, apart from an index."""
    columns = [column for name, column in cells.columns.items() if name not in cells.index]
    empty: Sequence[int] = range(len(cells) if columns else 0)
    for column in columns:
        empty = [row for row in empty if is_missing(column[row])]
    return [(cells.numbers[row], "has no value in any column: remove the row, or fill it in") for row in empty]


def _read_csv(path: Path) -> Cells:
    content = read_csv(path)
    index = {UNNAMED: "the first column has no name, like an index that pandas or R writes"} if content.unnamed else {}
    header = [name or UNNAMED for name in content.header]
    columns = {name: [row[number] for row in content.rows] for number, name in enumerate(header)}
    return Cells(path, columns, tuple(content.numbers), tuple(content.mistakes), index)


def _read_parquet(path: Path) -> Cells:
    import pyarrow as pa

    try:
        table = parse_parquet(path)
        names = table.column_names
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise DataError(f"{path}: column names must be unique, got several columns named {', '.join(twice)}")
        columns = {name: table.column(name).to_pylist() for name in names}
        index = _pandas_index(table.schema)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(
            f"{path}: cannot be read as Parquet: {error}: save it again, or name it .csv if it is CSV"
        ) from error
    return Cells(path, columns, tuple(range(len(table))), index={name: index[name] for name in index if name in names})


def _pandas_index(schema: pa.Schema) -> dict[str, str]:
    """Return the columns that pandas stored as the index of a table. A range is stored without a column."""
    metadata = schema.pandas_metadata
    stored = metadata.get("index_columns", []) if isinstance(metadata, dict) else []
    return {name: "pandas stored it as the index" for name in stored if isinstance(name, str)}
