"""Encoding of table rows as vectors: standardised numbers and one-hot texts, fitted on the training rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from groupdir.data.cells import Cells, RowMistake, as_number, is_missing
from groupdir.errors import DataError

_LARGEST = float(np.finfo(np.float32).max)
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Numeric:
    """Column of numbers, encoded as (x - mean) / scale; a missing number counts as the mean.

    Attributes:
        name: Name of the column.
        mean: Mean of the training numbers.
        scale: Standard deviation of the training numbers; 1 if they are all equal.
        indicator: Whether a second entry of the vector marks missing numbers. True if training rows lack some.
    """

    name: str
    mean: float
    scale: float
    indicator: bool
    kind: Literal["numeric"] = "numeric"

    @classmethod
    def fit(cls, name: str, cells: Sequence[Any]) -> Self:
        """Compute the statistics of the training cells."""
        values = [value for cell in cells if (value := _number(cell)) is not None]
        scale = float(np.std(values)) if min(values) < max(values) else 0.0  # numpy gives more than 0 for 0.1, 0.1, 0.1
        return cls(name, float(np.mean(values)), scale or 1.0, any(is_missing(cell) for cell in cells))

    @property
    def entries(self) -> int:
        """Number of entries of the vector that encode this column."""
        return 1 + self.indicator

    def vectors(self, cells: Sequence[Any]) -> tuple[Vectors, list[tuple[int, str]]]:
        """Return entries (N, entries), and the index and text of each mistake."""
        entries = np.zeros((len(cells), self.entries), dtype=np.float32)
        mistakes = []
        for index, cell in enumerate(cells):
            value = _number(cell)
            if is_missing(cell):
                entries[index, 1:] = 1
            elif value is None:
                mistakes.append((index, f"{self.name} must be a number as in training, got {cell!r}"))
            elif not abs(scaled := (value - self.mean) / self.scale) <= _LARGEST:
                mistakes.append((index, f"{self.name} must be about {self.mean:g} as in training, got {cell!r}"))
            else:
                entries[index, 0] = scaled
        return entries, mistakes


@dataclass(frozen=True)
class Categorical:
    """Column of texts, encoded as one entry per training text and a last entry for all other texts.

    Attributes:
        name: Name of the column.
        values: Training texts, sorted; a missing cell is the empty text.
    """

    name: str
    values: tuple[str, ...]
    kind: Literal["categorical"] = "categorical"

    @classmethod
    def fit(cls, name: str, cells: Sequence[Any]) -> Self:
        """Collect the texts of the training cells."""
        return cls(name, tuple(sorted({_text(cell) for cell in cells})))

    @property
    def entries(self) -> int:
        """Number of entries of the vector that encode this column."""
        return len(self.values) + 1

    def vectors(self, cells: Sequence[Any]) -> tuple[Vectors, list[tuple[int, str]]]:
        """Return entries (N, entries). Texts are never mistakes."""
        position = {value: index for index, value in enumerate(self.values)}
        entries = np.zeros((len(cells), self.entries), dtype=np.float32)
        entries[np.arange(len(cells)), [position.get(_text(cell), len(position)) for cell in cells]] = 1
        return entries, []


@dataclass(frozen=True)
class Columns:
    """Encoding of the columns of a table as vectors."""

    columns: tuple[Numeric | Categorical, ...]

    @classmethod
    def fit(
        cls, cells: Cells, names: Sequence[str], train: Sequence[int], categorical: Collection[str], most: int
    ) -> Self:
        """Fit the encoding to the training rows.

        A column is numeric if every training cell with a value is a number; in Parquet its type must be one too.

        Args:
            cells: Table.
            names: Columns to encode, which must exist.
            train: Indices of the training rows.
            categorical: Columns whose numbers are names.
            most: Largest number of texts in a categorical column of the training rows.

        Raises:
            DataError: If a column has no value, too many texts, or cells that are neither numbers nor texts. The
                message lists all such columns.
        """
        columns, mistakes = list[Numeric | Categorical](), []
        for name in names:
            column = [cells.columns[name][index] for index in train]
            fitted = _fitted(name, column, name in categorical, cells.typed, most)
            if isinstance(fitted, str):
                mistakes.append(f"{cells.path}: column {name!r} {fitted}")
            else:
                columns.append(fitted)
        if mistakes:
            raise DataError("\n".join(mistakes) + "\nfix these columns, or list them in data.without")
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
            mistakes += [(cells.numbers[index], text) for index, text in wrong]
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


def _fitted(name: str, cells: Sequence[Any], categorical: bool, typed: bool, most: int) -> Numeric | Categorical | str:
    """Return the encoding of a column, fitted on its training cells, or a text that says why there is none."""
    if (other := next((cell for cell in cells if not _is_plain(cell)), None)) is not None:
        return f"must hold numbers or texts, got {type(other).__name__}"
    if all(is_missing(cell) for cell in cells):
        return "must hold a value in some training row, got none"
    if not categorical and all(is_missing(cell) or _is_number(cell, typed) for cell in cells):
        return Numeric.fit(name, cells)
    texts = Categorical.fit(name, cells)
    if len(texts.values) > most:
        return (
            f"must have at most {most} texts in training (data.most_categories), or only numbers, got "
            f"{len(texts.values)} such as {_stray(cells)!r}"
        )
    return texts


def _number(cell: Any) -> float | None:
    return float(cell) if isinstance(cell, bool) else as_number(cell)


def _is_number(cell: Any, typed: bool) -> bool:
    return _number(cell) is not None and not (typed and isinstance(cell, str))


def _is_plain(cell: Any) -> bool:
    return cell is None or isinstance(cell, str | bool | int | float | Decimal)


def _text(cell: Any) -> str:
    """Return a cell as a text, which is the same from CSV and from Parquet."""
    if is_missing(cell):
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _stray(cells: Sequence[Any]) -> str:
    """Return the first text that keeps a column from being numeric; it may be a slip."""
    return next((str(cell) for cell in cells if not is_missing(cell) and _number(cell) is None), str(cells[0]))
