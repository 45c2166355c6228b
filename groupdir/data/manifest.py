"""Manifests: lists of samples as CSV or Parquet, with the target, the picture and the split of each row."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from groupdir.data.base import SplitName
from groupdir.data.cell_values import as_number, is_missing_number, number_form
from groupdir.data.cells import Cells, place, read_cells
from groupdir.data.csv_file import RowMistake
from groupdir.errors import DataError, EmptySplitError
from groupdir.registry import did_you_mean

SPLITS: Mapping[str, SplitName] = {
    "train": "train",
    "val": "val",
    "validation": "val",
    "valid": "val",
    "dev": "val",
    "test": "test",
}
"""Spellings of the splits in a manifest, in upper or lower case."""

LARGEST = float(np.finfo(np.float32).max)
"""Largest target: the network computes in float32."""


@dataclass(frozen=True)
class Rows:
    """Pictures of a split.

    Attributes:
        files: Files of N pictures, which may not exist.
        y: (N,), in label units.
        numbers: N row numbers in the manifest, for messages: lines of a CSV file, or rows of Parquet, from 0.
        manifest: File that lists the rows.
    """

    files: tuple[Path, ...]
    y: np.ndarray
    numbers: tuple[int, ...]
    manifest: Path

    def place(self, index: int) -> str:
        """Return the place of row `index` in the manifest, for a message."""
        return place(self.manifest, self.numbers[index])


@dataclass(frozen=True)
class Names:
    """Names of the columns of a manifest.

    Attributes:
        target: Column of the number to predict.
        path: Column of the picture files. None: there are no pictures.
        split: Column of the split. None: no such column is read.
        split_needed: Whether the column of the split must exist.
        options: Whether the YAML can set these names, for messages.
    """

    target: str = "target"
    path: str | None = "path"
    split: str | None = "split"
    split_needed: bool = False
    options: bool = True


@dataclass(frozen=True)
class Manifest:
    """Manifest of N rows without mistakes.

    Attributes:
        cells: All columns.
        y: (N,) float64 as read, in label units.
        files: N paths as written in the manifest; empty if there are no pictures.
        splits: N splits. None: there is no such column.
    """

    cells: Cells = field(repr=False)
    y: npt.NDArray[np.floating[Any]]
    files: tuple[str, ...]
    splits: tuple[SplitName, ...] | None

    @property
    def path(self) -> Path:
        """File of the manifest."""
        return self.cells.path

    def __len__(self) -> int:
        return len(self.y)

    def rows(self, where: np.ndarray, folder: Path) -> Rows:
        """Return some rows, with picture paths relative to a folder.

        Args:
            where: Indices (n,) of the rows, 0 <= index < N.
            folder: Folder that relative paths start from.
        """
        files = tuple(folder / self.files[index] for index in where.tolist())
        return Rows(files, self.y[where], tuple(self.cells.numbers[index] for index in where.tolist()), self.path)

    def of_split(self, name: SplitName) -> npt.NDArray[np.int64]:
        """Return the indices (n,) of the rows of a split, for a manifest with splits.

        Raises:
            DataError: If the split has no rows.
        """
        return rows_of(name, self.splits or (), self.path)


def read_manifest(path: Path, names: Names) -> Manifest:
    """Read a manifest.

    Args:
        path: File of the manifest: `.parquet` or `.pq`, otherwise CSV.
        names: Names of its columns.

    Raises:
        DataError: If the file cannot be read, lacks a column, or has mistakes, which are listed together with their
            rows. A target must be a finite number, a path must be unique and not empty, a split one of `SPLITS`.
    """
    cells = read_cells(path)
    split = _split_column(cells, names)
    wanted = [name for name in (names.target, names.path, split) if name is not None]
    cells.need(wanted, "; or name another one in the section `data`" if names.options else "")
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


def read_targets(cells: Cells, name: str) -> tuple[npt.NDArray[np.float64], list[RowMistake]]:
    """Return the targets (N,) float64 of a column, NaN where a cell is wrong, and the mistakes."""
    y = np.full(len(cells), np.nan)
    mistakes = []
    for index, cell in enumerate(cells.columns[name]):
        value = as_number(cell)
        if value is not None and abs(value) <= LARGEST:
            y[index] = value
        elif is_missing_number(cell):
            mistakes.append((cells.numbers[index], f"{name} is missing: fill it in, or remove the row"))
        else:
            form = number_form(cell)
            todo = f": {form.todo}" if form else ""
            mistakes.append((cells.numbers[index], f"{name} must be a finite number, got {cell!r}{todo}"))
    return y, mistakes


def rows_of(name: SplitName, splits: Sequence[SplitName], path: Path) -> npt.NDArray[np.int64]:
    """Return the indices (n,) of the rows of a split.

    Raises:
        EmptySplitError: If the split has no rows.
    """
    indices = np.flatnonzero(np.array(splits) == name)
    if not indices.size:
        raise EmptySplitError(f"{path}: must have rows of split {name}, got none")
    return indices


def _wrong_files(cells: Cells, name: str, files: Sequence[str]) -> Iterator[RowMistake]:
    first: dict[str, int] = {}
    for number, file, cell in zip(cells.numbers, files, cells.columns[name], strict=True):
        if not file and (isinstance(cell, str) or cell is None):
            yield number, f"{name} is empty: it must name a picture"
        elif not file or "\0" in file:
            yield number, f"{name} must name a picture, got {cell!r}"
        elif (known := first.setdefault(os.path.normpath(file), number)) != number:
            yield number, f"{name} {file!r} is listed in {cells.row(known)} already: remove one of the two rows"


def _read_splits(cells: Cells, name: str) -> tuple[tuple[SplitName, ...], list[RowMistake]]:
    splits: list[SplitName] = []
    mistakes = []
    for number, cell in zip(cells.numbers, cells.columns[name], strict=True):
        text = cell.strip().lower() if isinstance(cell, str) else ""
        if text in SPLITS:
            splits.append(SPLITS[text])
        elif not text and (cell is None or isinstance(cell, str)):
            mistakes.append((number, f"{name} is empty: it must be train, val or test"))
        else:
            mistakes.append((number, f"{name} must be a split, got {cell!r}: {did_you_mean(text, SPLITS)}"))
    return tuple(splits), mistakes


def _split_column(cells: Cells, names: Names) -> str | None:
    """Return the column of splits, or None if there is none and none is needed."""
    name = names.split
    if name is None or name in cells.columns or names.split_needed:
        return name
    if name != Names.split:
        return name  # the YAML names it, so it must exist
    lower = {column.lower(): column for column in cells.columns}
    if near := difflib.get_close_matches(name, lower, n=1, cutoff=0.8):
        raise DataError(
            f"{cells.path}: has no column {name!r} but {lower[near[0]]!r}: set data.split to that name, or to null for "
            "a random split"
        )
    return None
