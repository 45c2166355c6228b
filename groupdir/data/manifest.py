"""Lists of samples, as CSV or Parquet: which number belongs to which row, which file, and which split."""

from __future__ import annotations

import csv
import difflib
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from groupdir.data.base import SplitName
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

SHOWN = 50
"""So many mistakes of a file are listed; the others are counted."""


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


def place(path: Path, number: int) -> str:
    """Where a row stands.

    >>> place(Path("faces.csv"), 12), place(Path("faces.parquet"), 12)
    ('faces.csv:12', 'faces.parquet: row 12')
    """
    return f"{path}: row {number}" if is_parquet(path) else f"{path}:{number}"


def is_parquet(path: Path) -> bool:
    """Whether a file is read as Parquet; all others are CSV."""
    return path.suffix.lower() in (".parquet", ".pq")
