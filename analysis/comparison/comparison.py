"""Comparison of configurations: every metric and shot of every pair, and average ranks over several data sets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from analysis.comparison.blocks import Block, make_blocks
from analysis.comparison.inputs import read_inputs
from analysis.comparison.pairs import OVER_ALL, Pair
from analysis.comparison.ranks import MOST_METHODS, AverageRanks, average_ranks, critical_difference
from analysis.comparison.signed_ranks import signed_ranks
from analysis.comparison.statements import limiting_statements
from groupdir.bootstrap.difference import Difference
from groupdir.bootstrap.hierarchical import Array, resample
from groupdir.bootstrap.settings import DRAWS
from groupdir.bootstrap.verdict import holm
from groupdir.command_line.progress import progress_bar
from groupdir.errors import DataError
from groupdir.metrics import METRICS, Metric
from groupdir.shots import ALL_AND_SHOTS

TEST = "test"
"""Split whose readers a ledger counts."""


@dataclass(frozen=True)
class Comparison:
    """Comparison of configurations.

    Attributes:
        split: Split that the predictions are of.
        labels: Names of the configurations.
        blocks: Data sets.
        metrics: Names of the metrics.
        pairs: Every pair in every metric, shot and data set, then over all data sets if there are several.
        ranks: Average ranks by metric and shot, for several data sets.
        statements: Sentences about what limits the comparison.
    """

    split: str
    labels: tuple[str, ...]
    blocks: tuple[Block, ...]
    metrics: tuple[str, ...]
    pairs: tuple[Pair, ...]
    ranks: dict[tuple[str, str], AverageRanks]
    statements: tuple[str, ...]

    def panels(self, metric: str) -> dict[str, AverageRanks]:
        """Return the average ranks of a metric by shot; empty for one data set."""
        return {shot: self.ranks[metric, shot] for shot in ALL_AND_SHOTS if (metric, shot) in self.ranks}


def compare(
    inputs: Sequence[str],
    *,
    split: str = TEST,
    metrics: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Comparison:
    """Compare configurations by their predictions for the same samples.

    Args:
        inputs: Folders of `groupdir train` or files of predictions, each as PATH or LABEL=PATH.
        split: Split of the data set.
        metrics: Names of metrics that compare values; None for all of them.
        draws: Number of bootstrap draws.
        seed: Seed of the bootstrap.

    Raises:
        DataError: If the inputs cannot be compared. The message names the file.
    """
    names = [name for name, metric in METRICS.items() if metric.compares == "values"] if metrics is None else metrics
    labels, blocks = make_blocks(read_inputs(inputs, split))
    _refuse_many(labels, len(blocks))
    pairs: list[Pair] = []
    costs: dict[tuple[str, str], list[Array]] = {}
    shots = sum(int(members.any()) for block in blocks for members in block.members().values())
    with progress_bar("comparing, draws", draws * shots, transient=True) as advance:
        for block in blocks:
            means, rows = _within(block, labels, [METRICS[name] for name in names], draws, seed, advance)
            pairs += rows
            for cell, values in means.items():
                costs.setdefault(cell, []).append(values)
    ranks: dict[tuple[str, str], AverageRanks] = {}
    if len(blocks) > 1:
        tables = {cell: np.stack(rows) for cell, rows in costs.items()}
        tables = {cell: table[np.isfinite(table).all(axis=1)] for cell, table in tables.items()}
        tables = {cell: table for cell, table in tables.items() if len(table) > 1}
        ranks = {cell: average_ranks(labels, METRICS[cell[0]].sign * table) for cell, table in tables.items()}
        pairs += _over_all(labels, tables, names)
    readers = [f"{block.name}: {block.readers}." for block in blocks if block.readers and split == TEST]
    statements = (*limiting_statements(blocks, names, pairs, ranks, draws), *readers)
    return Comparison(split, tuple(labels), tuple(blocks), tuple(names), tuple(pairs), ranks, statements)


def _refuse_many(labels: Sequence[str], blocks: int) -> None:
    """Refuse more configurations than a comparison can tell apart."""
    count = len(labels)
    if count <= MOST_METHODS:
        return
    if blocks > 1:
        why = (
            f"average ranks over {blocks} data sets must differ by {critical_difference(count, blocks):.1f} of {count} "
            "to be told apart"
        )
    else:
        why = f"{count * (count - 1) // 2} pairs leave no difference that survives the correction for many tests"
    raise DataError(
        f"compare: takes at most {MOST_METHODS} configurations, got {count}: {why}. Choose at most {MOST_METHODS} "
        "finalists by their validation errors, then compare these"
    )


def _within(
    block: Block,
    labels: Sequence[str],
    metrics: Sequence[Metric],
    draws: int,
    seed: int,
    advance: Callable[[int], None],
) -> tuple[dict[tuple[str, str], Array], list[Pair]]:
    """Return the mean of each configuration by metric and shot, and all pairs, of one data set."""
    means: dict[tuple[str, str], Array] = {}
    pairs: list[Pair] = []
    target = block.target.astype(np.float64)
    for shot, members in block.members().items():
        y, predictions = target[members], block.predictions[:, :, members]
        if not len(y):
            continue
        for name, values in resample(metrics, predictions, y, draws=draws, seed=seed, advance=advance).items():
            means[name, shot] = values.observed.mean(axis=1)
            if not np.isfinite(values.observed).all():
                continue
            for one, other in combinations(range(len(labels)), 2):
                mean = (float(means[name, shot][one]), float(means[name, shot][other]))
                ranks = signed_ranks(values.observed[one] - values.observed[other])
                difference = values.difference(one, other)
                pairs.append(Pair(block.name, name, shot, labels[one], labels[other], mean, difference, ranks))
    return means, [pair for metric in metrics for pair in _corrected(pairs, metric.name)]


def _over_all(labels: Sequence[str], tables: dict[tuple[str, str], Array], metrics: Sequence[str]) -> list[Pair]:
    """Return all pairs over several data sets, from means `(data sets, configurations)` by metric and shot."""
    pairs = []
    for (metric, shot), table in tables.items():
        for one, other in combinations(range(len(labels)), 2):
            mean = (float(table[:, one].mean()), float(table[:, other].mean()))
            difference = Difference(mean[0] - mean[1], math.nan, math.nan, math.nan)
            ranks = signed_ranks(table[:, one] - table[:, other])
            pairs.append(Pair(OVER_ALL, metric, shot, labels[one], labels[other], mean, difference, ranks))
    return [pair for metric in metrics for pair in _corrected(pairs, metric)]


def _corrected(pairs: Sequence[Pair], metric: str) -> list[Pair]:
    """Return the pairs of a metric, with p-values corrected for the family of these pairs."""
    family = [pair for pair in pairs if pair.metric == metric]
    bootstrap = holm([pair.difference.p for pair in family])
    wilcoxon = holm([pair.ranks.p for pair in family])
    return [
        replace(pair, p_holm=first, wilcoxon_holm=second, family=len(family))
        for pair, first, second in zip(family, bootstrap, wilcoxon, strict=True)
    ]
