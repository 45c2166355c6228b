"""Encodings of a column of a table: standardised numbers, or one entry for each text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from groupdir.data.cell_values import as_number, is_missing, is_missing_number, number_form

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
    def fit(cls, name: str, values: Sequence[float], indicator: bool) -> Self:
        """Compute the statistics of the training numbers."""
        with np.errstate(over="ignore"):  # the caller refuses statistics that are not finite
            mean, deviation = float(np.mean(values)), float(np.std(values))
        scale = deviation if min(values) < max(values) else 0.0  # numpy gives more than 0 for 0.1, 0.1, 0.1
        return cls(name, mean, scale or 1.0, indicator)

    @property
    def entries(self) -> int:
        """Number of entries of the vector that encode this column."""
        return 1 + self.indicator

    def vectors(self, cells: Sequence[Any]) -> tuple[Vectors, list[tuple[int, str]]]:
        """Return entries (N, entries), and the index and text of each mistake."""
        entries = np.zeros((len(cells), self.entries), dtype=np.float32)
        mistakes = []
        for index, cell in enumerate(cells):
            value = number_of(cell)
            if value is None and is_missing_number(cell):
                entries[index, 1:] = 1
            elif value is None:
                mistakes.append((index, f"{self.name} must be a number as in training, got {cell!r}{todo_of(cell)}"))
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
        return cls(name, tuple(sorted({text_of(cell) for cell in cells})))

    @property
    def entries(self) -> int:
        """Number of entries of the vector that encode this column."""
        return len(self.values) + 1

    def vectors(self, cells: Sequence[Any]) -> tuple[Vectors, list[tuple[int, str]]]:
        """Return entries (N, entries). Texts are never mistakes."""
        position = {value: index for index, value in enumerate(self.values)}
        entries = np.zeros((len(cells), self.entries), dtype=np.float32)
        entries[np.arange(len(cells)), [position.get(text_of(cell), len(position)) for cell in cells]] = 1
        return entries, []


def number_of(cell: Any) -> float | None:
    """Return the finite number in a cell, or None. True and False are 1 and 0."""
    return float(cell) if isinstance(cell, bool) else as_number(cell)


def text_of(cell: Any) -> str:
    """Return a cell as a text. The text is the same from CSV and from Parquet."""
    if is_missing(cell):
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def todo_of(cell: Any) -> str:
    """Return advice for a cell that holds a number in another form, with a colon, or an empty text."""
    form = number_form(cell)
    return f": {form.todo}" if form else ""
