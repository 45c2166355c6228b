"""Data set of your own table: predict one column from the others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from groupdir.config.datasets import TabularConfig
from groupdir.data.base import ColumnSummary, Dataset, InputSpec, Split, SplitName, Targets
from groupdir.data.cell_values import as_number, is_missing
from groupdir.data.cells import Cells, read_cells
from groupdir.data.comparisons import Comparison, NearRows, SharedKeys
from groupdir.data.csv_file import RowMistake
from groupdir.data.manifest import Names, read_manifest
from groupdir.data.own.columns import Columns
from groupdir.data.own.kinds import FitOptions
from groupdir.data.own.labels import OwnLabels
from groupdir.data.own.marks import MARK_OF_FEATURE, marks
from groupdir.data.own.summary import summarise
from groupdir.data.own.suspects import suspects
from groupdir.errors import DataError
from groupdir.metrics import ShotSplit
from groupdir.registry import did_you_mean


class Tabular(Dataset):
    """Data set of your own table, CSV or Parquet, with columns of numbers and of texts. One column is the target.

    Numbers are standardised with the statistics of the training rows. A missing number is replaced by the mean, and an
    extra entry marks it if the column has missing numbers in training. Texts are one-hot encoded, with an extra entry
    for texts that do not occur in training. See docs/your_own_data.md.
    """

    Config = TabularConfig
    config: TabularConfig

    def __init__(self, config: TabularConfig) -> None:
        super().__init__(config)
        manifest = read_manifest(config.manifest_path, Names(config.target, None, config.split))
        names = _chosen(manifest.cells, config)
        keys = _keys(manifest.cells, config.split)
        if config.duplicates == "refuse":
            manifest.cells.refuse(_repeated(manifest.cells, keys))
        self.y = manifest.y
        options = FitOptions(config.categorical, config.most_categories, config.features)

        def accept(train: np.ndarray) -> None:
            Columns.fit(manifest.cells, names, train.tolist(), options).vectors(manifest.cells)

        self.own = OwnLabels.of(manifest, keys, config, accept)
        train = self.own.where("train").tolist()
        self.columns = Columns.fit(manifest.cells, names, train, options)
        self.vectors = self.columns.vectors(manifest.cells)
        self.cells = manifest.cells
        self.left_out = {name: why for name, why in manifest.cells.index.items() if name not in names}
        known = {*config.features, *config.categorical, *(config.columns or ())}
        self.suspects = tuple(suspects(manifest.cells, self.columns.columns, self.y, train, known))
        numeric = [column.name for column in self.columns.columns if column.kind == "numeric"]
        self.marks = tuple(
            text
            for name in numeric
            if name not in config.features
            for text in marks(manifest.cells, name, MARK_OF_FEATURE)
        )

    @property
    def targets(self) -> Targets:
        """Meaning of the labels, from the YAML and the training labels."""
        return self.own.targets

    @property
    def inputs(self) -> InputSpec:
        """Vectors, with the encoding of the columns that was fitted on the training rows."""
        return InputSpec("vector", (self.columns.width,), columns=self.columns.to_dict())

    @property
    def shots(self) -> ShotSplit:
        """Shots by the number of training rows in each label bin."""
        return self.own.shots

    def labels(self, name: SplitName) -> np.ndarray:
        """Return the labels of a split."""
        return self.y[self.own.where(name)]

    def comparisons(self) -> Sequence[Comparison]:
        """Return comparisons of the groups and of the columns to predict from."""
        return [*self.own.comparisons(), SharedKeys("equal inputs", self._cells), NearRows(self._near)]

    def _cells(self, name: SplitName) -> list[tuple[tuple[Any, ...]]]:
        """Return one key for each row of a split: its cells in the columns to predict from."""
        columns = [self.cells.columns[column.name] for column in self.columns.columns]
        return [(tuple(_plain(column[row]) for column in columns),) for row in self.own.where(name).tolist()]

    def _near(self, name: SplitName) -> tuple[np.ndarray, list[tuple[str, ...]]]:
        """Return the entries of numeric columns (n, D) float64 of a split, and the texts of the others of each row."""
        numeric = [column.kind == "numeric" for column in self.columns.columns]
        entries = np.repeat(numeric, [column.entries for column in self.columns.columns])
        rows = self.own.where(name)
        texts = [self.cells.columns[c.name] for c, n in zip(self.columns.columns, numeric, strict=True) if not n]
        categories = [tuple(str(_plain(column[row])) for column in texts) for row in rows.tolist()]
        return self.vectors[rows][:, entries].astype(np.float64), categories

    def sample_name(self, name: SplitName, index: int) -> str:
        """Return the place of a row in the table."""
        return self.cells.place(self.cells.numbers[int(self.own.where(name)[index])])

    def column_summaries(self) -> Sequence[ColumnSummary]:
        """Return the summaries of the encoded columns, then of the columns that are left out."""
        return [*summarise(self.cells, self.columns.columns), *_left_out(self.cells, self.left_out)]

    def warnings(self) -> Sequence[str]:
        """Return warnings about columns that are left out or are probably no features, and marks of missing values."""
        return [
            *(
                f"{self.config.manifest_path}: column {name!r} is left out: {why}"
                for name, why in self.left_out.items()
            ),
            *self.suspects,
            *self.own.marks,
            *self.marks,
        ]

    def files(self) -> Sequence[Path]:
        """Return the file of the table."""
        return [self.config.manifest_path]

    def build(self, split: SplitName) -> Split:
        """Return the rows of a split, in the order of the table."""
        where = self.own.where(split)
        return Split((self.vectors[where],), self.y[where])

    @classmethod
    def read_inputs(cls, path: Path, spec: InputSpec) -> tuple[tuple[np.ndarray, ...], Sequence[Any]]:
        """Read the rows of a CSV or Parquet file with the columns of training. The target may be missing."""
        assert spec.columns is not None
        cells = read_cells(path)
        return (Columns.from_dict(spec.columns).vectors(cells),), range(len(cells))


def _chosen(cells: Cells, config: TabularConfig) -> list[str]:
    """Return the names of the columns to predict from.

    Raises:
        DataError: If the YAML names missing columns, includes the target or the split, or selects no column.
    """
    cells.need((*(config.columns or ()), *config.without, *config.categorical, *config.features))
    kept = {config.target} if config.split is None else {config.target, config.split}
    out = {*kept, config.group, *(cells.index.keys() - {*config.features, *config.categorical})}
    names = [name for name in cells.columns if name not in out] if config.columns is None else list(config.columns)
    if wrong := sorted(kept.intersection(names)):
        raise DataError(f"data.columns: must not include the target or the split, got {', '.join(wrong)}")
    names = [name for name in dict.fromkeys(names) if name not in config.without]
    if not names:
        raise DataError(f"{cells.path}: must have a column other than {config.target} to predict from, got none")
    for option, listed in (("categorical", config.categorical), ("features", config.features)):
        if unused := [name for name in listed if name not in names]:
            hint = did_you_mean(unused[0], names)
            raise DataError(f"data.{option}: must be columns to predict from, got {', '.join(unused)}: {hint}")
    return names


def _left_out(cells: Cells, reasons: Mapping[str, str]) -> list[ColumnSummary]:
    """Return the summaries of columns that are left out."""
    return [
        ColumnSummary(name, "left out", sum(map(is_missing, cells.columns[name])), 0, why)
        for name, why in reasons.items()
    ]


def _keys(cells: Cells, split: str | None) -> list[str]:
    """Return a key for each row: a hash of all its cells except the split."""
    names = sorted(name for name in cells.columns if name != split)
    rows = zip(*(cells.columns[name] for name in names), strict=True)
    return [hashlib.blake2b("\0".join(map(str, row)).encode(), digest_size=12).hexdigest() for row in rows]


def _plain(cell: Any) -> Any:
    """Return a cell as a number, a text or None, so that equal values from CSV and Parquet are equal."""
    if is_missing(cell):
        return None
    number = as_number(cell)
    return str(cell).strip() if number is None else number


def _repeated(cells: Cells, keys: Sequence[str]) -> list[RowMistake]:
    first: dict[str, int] = {}
    mistakes = []
    for number, key in zip(cells.numbers, keys, strict=True):
        if (known := first.setdefault(key, number)) != number:
            text = f"is the same as {cells.row(known)}: remove one of the two rows, or set data.duplicates to keep"
            mistakes.append((number, text))
    return mistakes
