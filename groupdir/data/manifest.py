"""Lists of samples, as CSV or Parquet: which number belongs to which row, which picture, and which split."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from groupdir.data.base import SplitName
from groupdir.data.cells import Cells, RowMistake, as_number, is_missing, place, read_cells
from groupdir.errors import DataError
from groupdir.registry import did_you_mean

SPLITS: Mapping[str, SplitName] = {
    "train": "train",
    "val": "val",
    "validation": "val",
    "valid": "val",
    "dev": "val",
    "test": "test",
}
"""How a manifest may spell the splits, in any case."""

LARGEST = float(np.finfo(np.float32).max)
"""Targets are float32."""


@dataclass(frozen=True)
class Rows:
    """The pictures of a split.

    Attributes:
        files: Of N pictures; whether they are there is not known yet.
        y: (N,) float32, in label units.
        numbers: N row numbers in the manifest, for messages: lines of a CSV file, or rows of Parquet, from 0.
        manifest: Where the rows stand.
    """

    files: tuple[Path, ...]
    y: np.ndarray
    numbers: tuple[int, ...]
    manifest: Path

    def place(self, index: int) -> str:
        """Where row `index` of these stands, for a message."""
        return place(self.manifest, self.numbers[index])


@dataclass(frozen=True)
class Names:
    """What the columns of a manifest are called.

    Attributes:
        target: Holds the number to predict.
        path: Holds the picture's file; None: there are no pictures.
        split: Holds the split; None: never read.
        split_needed: Whether it must be there.
        options: Whether a person can name them in the YAML, for messages.
    """

    target: str = "target"
    path: str | None = "path"
    split: str | None = "split"
    split_needed: bool = False
    options: bool = True


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read, N rows without a mistake.

    Attributes:
        cells: All of its columns.
        y: (N,) float32, in label units.
        files: N paths as they are written, or nothing where there are no pictures.
        splits: N splits, or None: it has no such column.
    """

    cells: Cells = field(repr=False)
    y: npt.NDArray[np.float32]
    files: tuple[str, ...]
    splits: tuple[SplitName, ...] | None

    @property
    def path(self) -> Path:
        """Its file."""
        return self.cells.path

    def __len__(self) -> int:
        return len(self.y)

    def rows(self, where: np.ndarray, folder: Path) -> Rows:
        """Some rows, their pictures' paths counted from a folder.

        Args:
            where: (n,) their indices, 0 <= index < N.
            folder: Where relative paths start.
        """
        files = tuple(folder / self.files[index] for index in where.tolist())
        return Rows(files, self.y[where], tuple(self.cells.numbers[index] for index in where.tolist()), self.path)

    def of_split(self, name: SplitName) -> npt.NDArray[np.int64]:
        """The indices (n,) of a split's rows, of a manifest that has splits.

        Raises:
            DataError: There is none.
        """
        return rows_of(name, self.splits or (), self.path)


def read_manifest(path: Path, names: Names) -> Manifest:
    """Reads a manifest.

    Args:
        path: The file: `.parquet` or `.pq`, or else CSV.
        names: Of its columns.

    Raises:
        DataError: It cannot be read, lacks a column, or has mistakes: every one at once, each with its row. A target
            must be a finite number, a path not empty and in one row only, a split one of `SPLITS`.
    """
    cells = read_cells(path)
    split = _split_column(cells, names)
    wanted = [name for name in (names.target, names.path, split) if name is not None]
    cells.need(wanted, "; or name another in the section data" if names.options else "")
    y, mistakes = read_targets(cells, names.target)
    files: tuple[str, ...] = ()
    if names.path is not None:
        files = tuple(cell.strip() if isinstance(cell, str) else "" for cell in cells.columns[names.path])
        mistakes += _wrong_files(cells, names.path, files)
    splits: tuple[SplitName, ...] | None = None
    if split is not None:
        splits, wrong = _read_splits(cells, split)
        mistakes += wrong
    cells.refuse(mistakes)
    manifest = Manifest(cells, y, files, splits)
    if splits is not None:
        manifest.of_split("train")
        manifest.of_split("val")
    return manifest


def read_targets(cells: Cells, name: str) -> tuple[npt.NDArray[np.float32], list[RowMistake]]:
    """Targets (N,) float32 of a column, NaN where they are wrong; and what is wrong."""
    y = np.full(len(cells), np.nan, dtype=np.float32)
    mistakes = []
    for index, cell in enumerate(cells.columns[name]):
        value = as_number(cell)
        if value is not None and abs(value) <= LARGEST:
            y[index] = value
        elif is_missing(cell):
            mistakes.append((cells.numbers[index], f"{name} is missing: fill it in, or take the row out"))
        else:
            mistakes.append((cells.numbers[index], f"{name} must be a finite number, got {cell!r}"))
    return y, mistakes


def rows_of(name: SplitName, splits: Sequence[SplitName], path: Path) -> npt.NDArray[np.int64]:
    """The indices (n,) of a split's rows among all.

    Raises:
        DataError: There is none.
    """
    found = np.flatnonzero(np.array(splits) == name)
    if not found.size:
        raise DataError(f"{path}: must have rows of split {name}, got none")
    return found


def _wrong_files(cells: Cells, name: str, files: Sequence[str]) -> Iterator[RowMistake]:
    first: dict[str, int] = {}
    for number, file, cell in zip(cells.numbers, files, cells.columns[name], strict=True):
        if not file and (isinstance(cell, str) or cell is None):
            yield number, f"{name} is empty: it must name a picture"
        elif not file or "\0" in file:
            yield number, f"{name} must name a picture, got {cell!r}"
        elif (known := first.setdefault(os.path.normpath(file), number)) != number:
            yield number, f"{name} {file!r} stands in {cells.row(known)} already: take one of them out"


def _read_splits(cells: Cells, name: str) -> tuple[tuple[SplitName, ...], list[RowMistake]]:
    found: list[SplitName] = []
    mistakes = []
    for number, cell in zip(cells.numbers, cells.columns[name], strict=True):
        text = cell.strip().lower() if isinstance(cell, str) else ""
        if text in SPLITS:
            found.append(SPLITS[text])
        elif not text and (cell is None or isinstance(cell, str)):
            mistakes.append((number, f"{name} is empty: it must be train, val or test"))
        else:
            mistakes.append((number, f"{name} must be a split, got {cell!r}: {did_you_mean(text, SPLITS)}"))
    return tuple(found), mistakes


def _split_column(cells: Cells, names: Names) -> str | None:
    """The column of splits, or None where there is none and none is needed."""
    name = names.split
    if name is None or name in cells.columns or names.split_needed:
        return name
    if name != Names.split:
        return name  # it was asked for
    lower = {column.lower(): column for column in cells.columns}
    if near := difflib.get_close_matches(name, lower, n=1, cutoff=0.8):
        raise DataError(
            f"{cells.path}: has no column {name!r} but {lower[near[0]]!r}: set data.split to that name, or to null to "
            "have the rows split anew"
        )
    return None
