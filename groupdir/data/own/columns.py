"""Encoding of table rows as vectors, fitted on the training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from groupdir.data.cells import Cells
from groupdir.data.csv_file import RowMistake
from groupdir.data.own.encodings import Categorical, Numeric, Vectors
from groupdir.data.own.kinds import IDENTIFIER, FitOptions, fitted
from groupdir.errors import DataError


@dataclass(frozen=True)
class Columns:
    """Encoding of the columns of a table as vectors."""

    columns: tuple[Numeric | Categorical, ...]

    @classmethod
    def fit(cls, cells: Cells, names: Sequence[str], train: Sequence[int], options: FitOptions) -> Self:
        """Fit the encoding to the training rows; see `fitted` for the kind of a column.

        Args:
            cells: Table.
            names: Columns to encode, which must exist.
            train: Indices of the training rows.
            options: Options from the YAML.

        Raises:
            DataError: If a column cannot be encoded, or cells of a column of numbers are not numbers. The message lists
                all such columns and cells.
        """
        columns, mistakes, rows = list[Numeric | Categorical](), list[str](), list[RowMistake]()
        for name in names:
            encoding = fitted(name, cells, train, options)
            if isinstance(encoding, str):
                mistakes.append(f"{cells.path}: column {name!r} {encoding}")
            elif isinstance(encoding, list):
                rows += encoding
            else:
                columns.append(encoding)
        if mistakes or rows:
            for column in columns:
                rows += _in_rows(cells, column.vectors(cells.columns[column.name])[1])
            _refuse(cells, mistakes, rows)
        return cls(tuple(columns))

    @property
    def width(self) -> int:
        """Number of entries D of a vector."""
        return sum(column.entries for column in self.columns)

    def vectors(self, cells: Cells) -> Vectors:
        """Return vectors (N, D) float32 of all rows of a table.

        Raises:
            DataError: If the table lacks columns, or cells of a numeric column are not numbers. The message lists all
                of them with their rows.
        """
        cells.need(column.name for column in self.columns)
        parts, mistakes = [], list[RowMistake]()
        for column in self.columns:
            part, wrong = column.vectors(cells.columns[column.name])
            parts.append(part)
            mistakes += _in_rows(cells, wrong)
        cells.refuse(mistakes)
        return np.concatenate(parts, axis=1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain mappings, lists and scalars that `from_dict` reads."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the encoding that `to_dict` wrote."""
        columns: list[Numeric | Categorical] = []
        for column in data["columns"]:
            if column["kind"] == "numeric":
                columns.append(Numeric(**column))
            else:
                columns.append(Categorical(column["name"], tuple(column["values"])))
        return cls(tuple(columns))


def _in_rows(cells: Cells, mistakes: Sequence[tuple[int, str]]) -> list[RowMistake]:
    """Return mistakes with the row numbers of the file instead of indices."""
    return [(cells.numbers[index], text) for index, text in mistakes]


def _refuse(cells: Cells, columns: Sequence[str], rows: Sequence[RowMistake]) -> None:
    """Raise the mistakes of columns, then those of rows, with advice below."""
    todo = ["fix these columns, or list them in data.without"] if columns else []
    if any(text.endswith(IDENTIFIER) for text in columns):
        todo.append("list a column that is a feature in spite of its values in data.features")
    if rows:
        todo.append(
            "fix these cells, leave them empty if the value is missing, or list a column in data.categorical if its "
            "numbers are names"
        )
    try:
        cells.refuse(rows)
    except DataError as error:
        raise DataError("\n".join([*columns, str(error), *todo])) from error
    raise DataError("\n".join([*columns, *todo]))
