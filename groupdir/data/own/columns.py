"""Columns of a table as one vector a row: numbers standardised, texts one-hot, both by what training holds."""

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
    """A column of numbers: (x - mean) / scale, a missing one as the mean.

    Attributes:
        name: The column's.
        mean: Of the numbers in training.
        scale: Their standard deviation; 1 if they are all the same.
        indicator: Whether a second entry of the vector is 1 where the number is missing: where training has such rows.
    """

    name: str
    mean: float
    scale: float
    indicator: bool
    kind: Literal["numeric"] = "numeric"

    @classmethod
    def fit(cls, name: str, cells: Sequence[Any]) -> Self:
        """Takes the statistics of the cells of training."""
        values = [value for cell in cells if (value := _number(cell)) is not None]
        scale = float(np.std(values)) if min(values) < max(values) else 0.0  # of 0.1, 0.1, 0.1 numpy's is not 0
        return cls(name, float(np.mean(values)), scale or 1.0, any(is_missing(cell) for cell in cells))

    @property
    def entries(self) -> int:
        """How many entries of the vector are its."""
        return 1 + self.indicator

    def vectors(self, cells: Sequence[Any]) -> tuple[Vectors, list[tuple[int, str]]]:
        """Entries (N, entries); and index and text of what is wrong."""
        found = np.zeros((len(cells), self.entries), dtype=np.float32)
        mistakes = []
        for index, cell in enumerate(cells):
            value = _number(cell)
            if is_missing(cell):
                found[index, 1:] = 1
            elif value is None:
                mistakes.append((index, f"{self.name} must be a number as in training, got {cell!r}"))
            elif not abs(scaled := (value - self.mean) / self.scale) <= _LARGEST:
                mistakes.append((index, f"{self.name} must be about {self.mean:g} as in training, got {cell!r}"))
            else:
                found[index, 0] = scaled
        return found, mistakes


@dataclass(frozen=True)
class Categorical:
    """A column of texts: one entry of the vector for each that training holds, and a last one for all others.

    Attributes:
        name: The column's.
        values: The texts, sorted; one that is missing is the empty text.
    """

    name: str
    values: tuple[str, ...]
    kind: Literal["categorical"] = "categorical"

    @classmethod
    def fit(cls, name: str, cells: Sequence[Any]) -> Self:
        """Takes the texts of the cells of training."""
        return cls(name, tuple(sorted({_text(cell) for cell in cells})))

    @property
    def entries(self) -> int:
        """How many entries of the vector are its."""
        return len(self.values) + 1

    def vectors(self, cells: Sequence[Any]) -> tuple[Vectors, list[tuple[int, str]]]:
        """Entries (N, entries); nothing is ever wrong."""
        entry = {value: index for index, value in enumerate(self.values)}
        found = np.zeros((len(cells), self.entries), dtype=np.float32)
        found[np.arange(len(cells)), [entry.get(_text(cell), len(entry)) for cell in cells]] = 1
        return found, []


@dataclass(frozen=True)
class Columns:
    """How the columns of a table become vectors."""

    columns: tuple[Numeric | Categorical, ...]

    @classmethod
    def fit(
        cls, cells: Cells, names: Sequence[str], train: Sequence[int], categorical: Collection[str], most: int
    ) -> Self:
        """Learns what training holds.

        A column is numeric if every cell of training that holds something is a number, in Parquet also by its type.

        Args:
            cells: The table.
            names: The columns, which are there.
            train: Indices of the training rows.
            categorical: Columns whose numbers are names.
            most: Texts that a categorical column may have in training.

        Raises:
            DataError: Columns without a value, with too many texts, or of what is neither number nor text: all at once.
        """
        found, mistakes = list[Numeric | Categorical](), []
        for name in names:
            column = [cells.columns[name][index] for index in train]
            fitted = _fitted(name, column, name in categorical, cells.typed, most)
            if isinstance(fitted, str):
                mistakes.append(f"{cells.path}: column {name!r} {fitted}")
            else:
                found.append(fitted)
        if mistakes:
            raise DataError("\n".join(mistakes) + "\nmend these columns, or name them in data.without")
        return cls(tuple(found))

    @property
    def width(self) -> int:
        """Entries of a vector, D."""
        return sum(column.entries for column in self.columns)

    def vectors(self, cells: Cells) -> Vectors:
        """Vectors (N, D) float32 of all rows of a table.

        Raises:
            DataError: It lacks columns, or cells of a numeric column hold no number: all of them, with their rows.
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
        """Plain mappings, lists and scalars that `from_dict` reads."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """What `to_dict` wrote."""
        found: list[Numeric | Categorical] = []
        for column in data["columns"]:
            if column["kind"] == "numeric":
                found.append(Numeric(**column))
            else:
                found.append(Categorical(column["name"], tuple(column["values"])))
        return cls(tuple(found))


def _fitted(name: str, cells: Sequence[Any], categorical: bool, typed: bool, most: int) -> Numeric | Categorical | str:
    """How the cells of training become vectors, or why they cannot."""
    if (other := next((cell for cell in cells if not _is_plain(cell)), None)) is not None:
        return f"must hold numbers or texts, got {type(other).__name__}"
    if all(is_missing(cell) for cell in cells):
        return "must hold a value in some training row, got none"
    if not categorical and all(is_missing(cell) or _is_number(cell, typed) for cell in cells):
        return Numeric.fit(name, cells)
    texts = Categorical.fit(name, cells)
    if len(texts.values) > most:
        return (
            f"must have at most {most} texts in training (data.most_categories), or numbers alone, got "
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
    """A cell as a text, the same from CSV and from Parquet."""
    if is_missing(cell):
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _stray(cells: Sequence[Any]) -> str:
    """The first text that keeps a column from being numeric, which may be a slip."""
    return next((str(cell) for cell in cells if not is_missing(cell) and _number(cell) is None), str(cells[0]))
