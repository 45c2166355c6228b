"""Comparison as text for the terminal, as JSON, and as a CSV file."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.comparison.blocks import Block
from analysis.comparison.comparison import Comparison
from analysis.comparison.pairs import OVER_ALL, Pair
from analysis.comparison.ranks import AverageRanks
from groupdir.bootstrap.verdict import ALPHA, alike_text, shown_text
from groupdir.command_line.console import broken
from groupdir.files.study_files import COMPARISON
from groupdir.files.write_whole import make_folder, write_whole
from groupdir.metrics import METRICS
from groupdir.shots import ALL_AND_SHOTS

WIDTH = 80
MOST_PAIRS = 3
"""Largest number of pairs whose tables are printed whole. With more, only differences that are shown are printed."""

HEADER = ("shot", "first", "second", "difference", "95 % interval", "p", "Wilcoxon", "d", "r")


def comparison_text(comparison: Comparison, metrics: Sequence[str]) -> str:
    """Return the tables of some metrics and what they say in words, in lines of at most 80 columns where labels allow.

    Args:
        comparison: The comparison.
        metrics: Names of the metrics to print.
    """
    parts = []
    for metric in metrics:
        parts += [_block_text(comparison, block, metric) for block in comparison.blocks]
        if len(comparison.blocks) > 1:
            parts.append(_over_all_text(comparison, metric))
    notes = [line for statement in comparison.statements for line in wrapped(f"- {statement}", "  ")]
    return "\n\n".join([*parts, "\n".join(["notes:", *notes, *_legend(comparison)])])


def _block_text(comparison: Comparison, block: Block, metric: str) -> str:
    pairs = [pair for pair in comparison.pairs if (pair.data, pair.metric) == (block.name, metric)]
    info = METRICS[metric]
    seeds = f"seed{'s' if len(block.seeds) > 1 else ''} {', '.join(map(str, block.seeds))}"
    title = f"{block.name}, {comparison.split}: {info.title} ({info.unit}; {info.best} is best), {seeds}"
    counts = ", ".join(f"{int(members.sum())} {shot}" for shot, members in block.members().items())
    lines = [*wrapped(title), *wrapped(f"samples: {counts}")]
    if not pairs:
        return "\n".join([*lines, "nothing can be compared: see the notes"])
    return "\n".join([*lines, *_means(pairs, comparison.labels), *_pair_tables(pairs), "", *_in_words(pairs)])


def _over_all_text(comparison: Comparison, metric: str) -> str:
    pairs = [pair for pair in comparison.pairs if (pair.data, pair.metric) == (OVER_ALL, metric)]
    lines = wrapped(f"over {len(comparison.blocks)} data sets: {METRICS[metric].title}, average ranks (1 is best)")
    for shot in ALL_AND_SHOTS:
        if (metric, shot) in comparison.ranks:
            lines += _rank_lines(shot, comparison.ranks[metric, shot])
    return "\n".join([*lines, *(["", *_in_words(pairs, "Wilcoxon over data sets: ")] if pairs else [])])


def _rank_lines(shot: str, ranks: AverageRanks) -> list[str]:
    listed = ", ".join(f"{label} {rank:.2f}" for label, rank in zip(ranks.labels, ranks.ranks, strict=True))
    friedman = "" if math.isnan(ranks.p) else f"; Friedman p {p_text(ranks.p)}"
    lines = wrapped(f"{shot}: {listed}; critical difference {ranks.critical:.2f}{friedman}", "  ")
    if not ranks.alike:
        return [*lines, "  every rank is told apart from the others"]
    return lines + [
        line for group in ranks.alike for line in wrapped(f"  cannot be told apart: {', '.join(group)}", "    ")
    ]


def _means(pairs: Sequence[Pair], labels: Sequence[str]) -> list[str]:
    """Return the table of the mean of each configuration by shot, if not all pairs are printed."""
    if len({(pair.first, pair.second) for pair in pairs}) <= MOST_PAIRS:
        return []
    values = {
        (label, pair.shot): value for pair in pairs for label, value in zip(_labels(pair), pair.values, strict=True)
    }
    shots = list(dict.fromkeys(pair.shot for pair in pairs))
    rows = [[label, *(number_text(pairs[0].metric, values[label, shot]) for shot in shots)] for label in labels]
    return ["", *_aligned([["mean over seeds", *shots], *rows])]


def _labels(pair: Pair) -> tuple[str, str]:
    return pair.first, pair.second


def _pair_tables(pairs: Sequence[Pair]) -> list[str]:
    names = list(dict.fromkeys((pair.first, pair.second) for pair in pairs))
    lines: list[str] = []
    for first, second in names:
        rows = [pair for pair in pairs if (pair.first, pair.second) == (first, second)]
        if len(names) > MOST_PAIRS:
            rows = [pair for pair in rows if pair.verdict != "not shown"]
        if rows:
            lines += ["", *wrapped(f"{first} (first) minus {second} (second)"), *_aligned([HEADER, *map(_cells, rows)])]
    return lines


def _cells(pair: Pair) -> tuple[str, ...]:
    """Return the cells of a pair's line. Numbers are scaled as in the tables of test results."""
    numbers = [number_text(pair.metric, value) for value in (*pair.values, pair.difference.value)]
    low, high = (number_text(pair.metric, value) for value in (pair.difference.low, pair.difference.high))
    mark = "" if pair.verdict == "not shown" else "*"
    effects = (_short(pair.ranks.effect), _short(pair.ranks.rank_biserial))
    interval = f"[{low}, {high}]"
    return (pair.shot, *numbers, interval, p_text(pair.p_holm) + mark, p_text(pair.wilcoxon_holm), *effects)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        " ".join(
            text.rjust(width) if column else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _in_words(pairs: Sequence[Pair], source: str = "") -> Iterator[str]:
    """Yield sentences: first the differences that are shown, then the pairs that cannot be told apart, by shot.

    Args:
        pairs: Pairs of one metric and data set.
        source: Name of the test, for the begin of each sentence.
    """
    for pair in pairs:
        if pair.verdict != "not shown":
            best, other = (pair.first, pair.second) if pair.verdict == "better" else (pair.second, pair.first)
            by = number_text(pair.metric, abs(pair.difference.value))
            yield from wrapped(source + shown_text(pair.shot, best, other, by), "  ")
    shots_of: dict[str, list[str]] = {}
    for shot in ALL_AND_SHOTS:
        of_shot = [pair for pair in pairs if pair.shot == shot]
        alike = [f"{pair.first} and {pair.second}" for pair in of_shot if pair.verdict == "not shown"]
        if alike:
            few = len(of_shot) <= MOST_PAIRS
            names = "; ".join(alike) if few else f"{_count(len(alike), len(of_shot))} (--out lists them)"
            shots_of.setdefault(names, []).append(shot)
    for names, shots in shots_of.items():
        yield from wrapped(source + alike_text(shots, names), "  ")


def _count(number: int, total: int) -> str:
    return f"all {total} pairs" if number == total else f"{number} of {total} pairs"


def _legend(comparison: Comparison) -> Iterator[str]:
    """Yield what the columns are."""
    family = max((pair.family for pair in comparison.pairs), default=0)
    yield from wrapped(
        "- Interval: 95 % of a bootstrap over samples and seeds, of this pair alone. p (bootstrap) and Wilcoxon "
        f"(signed ranks over seeds) are corrected by Holm for the {family} tests of a metric, which are pairs x shots. "
        f"A p below {number(ALPHA)} has a star: the difference is shown. d: mean difference in units of its standard "
        "deviation over seeds. r: rank-biserial correlation. What is not shown may still exist.",
        "  ",
    )


def number(value: float) -> str:
    """Return a number below 1 without its leading zero.

    >>> number(0.05), number(1.5)
    ('.05', '1.5')
    """
    return f"{value:g}".removeprefix("0")


def p_text(p: float) -> str:
    """Return a p-value with three decimals.

    >>> p_text(0.0312), p_text(0.00012), p_text(1.0), p_text(math.nan)
    ('.031', '<.001', '1', '-')
    """
    if math.isnan(p):
        return "-"
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0") if p < 0.9995 else "1"


def number_text(metric: str, value: float) -> str:
    """Return a value of a metric with one more decimal than tables of test results have, or with fewer if it is large.

    >>> number_text("mae", 3.14159), number_text("mae", 314.159), number_text("pearson", 0.8123)
    ('3.142', '314.2', '81.23')
    """
    if math.isnan(value):
        return "-"
    info = METRICS[metric]
    scaled = info.factor * value
    decimals = min(info.digits + 1, 4 - len(f"{abs(scaled):.0f}"))
    return f"{scaled:.{decimals}f}" if decimals >= 0 else f"{scaled:.4g}"


def _short(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"


def wrapped(text: str, indent: str = "") -> list[str]:
    """Return a text in lines of at most 80 columns; lines after the first begin with the indent."""
    return broken(text, WIDTH, indent)


def pair_row(pair: Pair) -> dict[str, Any]:
    """Return a pair as a flat row of the CSV file and of the JSON. docs/json_output.md describes the keys."""
    return {
        "data": pair.data or None,
        "metric": pair.metric,
        "shot": pair.shot,
        "first": pair.first,
        "second": pair.second,
        "first_value": pair.values[0],
        "second_value": pair.values[1],
        "difference": pair.difference.value,
        "low": pair.difference.low,
        "high": pair.difference.high,
        "p": pair.difference.p,
        "p_holm": pair.p_holm,
        "replications": pair.ranks.n,
        "wilcoxon_p": pair.ranks.p,
        "wilcoxon_p_holm": pair.wilcoxon_holm,
        "effect": pair.ranks.effect,
        "rank_biserial": pair.ranks.rank_biserial,
        "family": pair.family,
        "verdict": pair.verdict,
    }


def comparison_to_json(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison for a program to read. docs/json_output.md describes the keys."""
    return {
        "split": comparison.split,
        "labels": list(comparison.labels),
        "data_sets": [
            {
                "name": block.name,
                "seeds": list(block.seeds),
                "samples": {shot: int(members.sum()) for shot, members in block.members().items()},
            }
            for block in comparison.blocks
        ],
        "pairs": [pair_row(pair) for pair in comparison.pairs],
        "ranks": [
            {
                "metric": metric,
                "shot": shot,
                "data_sets": ranks.data_sets,
                "average_ranks": dict(zip(ranks.labels, ranks.ranks, strict=True)),
                "critical_difference": ranks.critical,
                "friedman_p": ranks.p,
                "cannot_be_told_apart": [list(group) for group in ranks.alike],
            }
            for (metric, shot), ranks in comparison.ranks.items()
        ],
        "statements": list(comparison.statements),
    }


def write_csv(comparison: Comparison, folder: Path) -> Path:
    """Write compare.csv, one row per pair, metric, shot and data set, and return its path. NaN is an empty cell."""
    rows = [pair_row(pair) for pair in comparison.pairs]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["data"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(
        {name: None if isinstance(value, float) and np.isnan(value) else value for name, value in row.items()}
        for row in rows
    )
    return write_whole(make_folder(folder) / COMPARISON, text.getvalue())
