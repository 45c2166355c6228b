"""Cells of a benchmark's tables: a mean with its spread."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from analysis.intervals import half_width
from groupdir.files.benchmark_record import BenchmarkRecord
from groupdir.metrics import Metric


@dataclass(frozen=True)
class Cell:
    """Result of a row in one test metric.

    Attributes:
        mean: Mean over blocks, or over seeds without replications; NaN without a result.
        spread: Half the width of the 95 % interval over blocks, or the standard deviation over seeds without
            replications; NaN for a single value.
    """

    mean: float
    spread: float = math.nan

    def text(self, metric: Metric, factor: float | None = None) -> str:
        """Return the cell as text, with the decimals of a metric.

        Args:
            metric: The metric.
            factor: Factor of the values; None for that of the metric.
        """
        if not math.isfinite(self.mean):
            return "–"
        times = metric.factor if factor is None else factor
        spread = f" ± {times * self.spread:.{metric.digits}f}" if math.isfinite(self.spread) else ""
        return f"{times * self.mean:.{metric.digits}f}{spread}"


def cell_of(record: BenchmarkRecord, label: str, name: str) -> Cell:
    """Return the cell of a row. With replications, a block in which seeds are still to be measured does not count.

    Args:
        record: Record of the benchmark.
        label: Label of the row.
        name: Test metric, such as `mae_all`.
    """
    blocks = record.whole_blocks(label, name) if record.replications > 1 else record.by_block(label, name)
    if not blocks:
        return Cell(math.nan)
    if record.replications > 1:
        means = np.array([np.mean(seeds) for seeds in blocks.values()])
        return Cell(float(means.mean()), float(half_width(means)))
    (seeds,) = blocks.values()
    return Cell(float(np.mean(seeds)), float(np.std(seeds, ddof=1)) if len(seeds) > 1 else math.nan)


def blocks_text(record: BenchmarkRecord, label: str) -> str:
    """Return the addition to the label of a row that misses results, such as " (2 of 5 blocks)", or an empty text."""
    seeds = Counter(training.block for training in record.measured if training.row == label)
    if not seeds:
        return ""
    if record.replications == 1:
        count = seeds.total()
        return "" if count == record.seeds else f" ({count} of {record.seeds} seeds)"
    whole = sum(count >= record.seeds for count in seeds.values())
    if whole == record.replications:
        return ""
    part = len(seeds) - whole
    return f" ({whole} of {record.replications} blocks{f', and {part} with missing seeds' if part else ''})"
