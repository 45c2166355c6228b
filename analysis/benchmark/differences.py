"""Differences of a benchmark's rows from one of them, block by block."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from analysis.benchmark.cells import Cell
from analysis.benchmark.tables import columns_of
from analysis.intervals import CONFIDENCE, half_width
from analysis.ruled import Ruled
from groupdir.bootstrap.verdict import holm
from groupdir.errors import DataError
from groupdir.files.benchmark_record import BenchmarkRecord
from groupdir.metrics import metric_name
from groupdir.registry import did_you_mean

LEVEL = 0.05
"""Chance of a false mark in a column, if no row differs from the chosen one."""


def differences_table(record: BenchmarkRecord, against: str) -> Ruled:
    """Return the table of the differences of all other rows from one row.

    A cell is the mean of (row - chosen row) over the blocks that both have, with its 95 % interval. A cell is marked if
    its paired t-test over blocks is below 5 % after Holm's correction for the rows of the column. The tests fix the
    chosen row beforehand: a row that was chosen because it is the best one makes differences look larger than they are.

    Args:
        record: Record of a benchmark with replications.
        against: Label of the row to subtract.

    Raises:
        DataError: If no row has the label, or the benchmark has one block.
    """
    labels = [row["label"] for row in record.content["rows"]]
    name = record.content["name"]
    if against not in labels:
        raise DataError(f"{name}: has no row {against!r}: {did_you_mean(against, labels)}")
    if record.replications == 1:
        raise DataError(
            f"{name}: rows cannot be compared with one block: set benchmark.replications to 5 or more and run it again"
        )
    others = [label for label in labels if label != against]
    columns = [
        [_difference(record, label, against, metric_name("", metric.name, shot)) for label in others]
        for metric, shot in columns_of(record)
    ]
    marked = {(row, 1 + index) for index, column in enumerate(columns) for row in _shown(column)}
    rows = [
        [
            label,
            *(_cell(column[at]).text(metric) for column, (metric, _) in zip(columns, columns_of(record), strict=True)),
        ]
        for at, label in enumerate(others)
    ]
    header = ["", *(f"{metric.heading or metric.title} {shot}" for metric, shot in columns_of(record))]
    title = f"{name}: difference from {against}, test set, mean ± half of the {100 * CONFIDENCE:g} % interval"
    return Ruled(title, header, rows, marked, [_foot(against)])


def _difference(record: BenchmarkRecord, label: str, against: str, name: str) -> np.ndarray:
    """Return the differences `(B,)` of a row from another in the blocks that both have; empty if one has no result."""
    both = record.complete_blocks(name, [label, against])
    return both.values[:, 0] - both.values[:, 1] if len(both.rows) == 2 else np.empty(0)


def _cell(differences: np.ndarray) -> Cell:
    """Return the mean of differences and half the width of its interval."""
    if not len(differences):
        return Cell(math.nan)
    return Cell(float(differences.mean()), float(half_width(differences)))


def _shown(column: Sequence[np.ndarray]) -> list[int]:
    """Return the positions of the differences in a column that are shown."""
    corrected = holm([_p_value(differences) for differences in column])
    return [at for at, p in enumerate(corrected) if p <= LEVEL]


def _p_value(differences: np.ndarray) -> float:
    """Return the p-value of the paired t-test, or NaN with fewer than two blocks or differences that are all 0."""
    if len(differences) < 2 or not differences.any():
        return math.nan
    if np.ptp(differences) == 0:
        return 0.0
    return float(stats.ttest_1samp(differences, 0.0).pvalue)


def _foot(against: str) -> str:
    """Return the line that explains the marks."""
    return (
        f"* differs from {against}: paired t-test over the blocks that both rows have, {100 * LEVEL:g} % level after "
        "Holm's correction for the rows of the column. The intervals are not corrected."
    )
