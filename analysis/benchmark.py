"""Benchmark tables in the shape of the paper's tables: our results over seeds, with the paper's numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from analysis.published import TABLES
from analysis.ruled import Ruled
from groupdir.errors import DataError
from groupdir.files.ledger import Ledger
from groupdir.files.predictions import check_same_samples, read_predictions
from groupdir.files.schema import refuse_old_benchmark
from groupdir.files.study_files import BENCHMARK, CONFIRMED, PREDICTIONS, RESULT, SEED_PREFIX
from groupdir.metrics import METRICS, ORACLE, Metric, metric_name, parse_metric

PAPER = "  in the paper"
COLUMNS = {"table1": ("mae", "gm"), "table3": ("mse", "pearson")}
"""The two metrics of the columns by shape, each for all samples and for every shot."""

GROUP_LOSSES = ("group_accuracy", "mae_all", f"{ORACLE}mae_all")
"""Metrics of a grid of group losses, each with its own table."""


@dataclass(frozen=True)
class Entry:
    """Row of a benchmark with its test results so far.

    Attributes:
        label: Label of the row.
        cell: Values of the row's cell in a grid, by address.
        metrics: Test metrics of each finished seed, such as `mae_all`.
    """

    label: str
    cell: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[Mapping[str, float]] = ()


@dataclass(frozen=True)
class Results:
    """Results of a benchmark.

    Attributes:
        name: Name of the benchmark.
        shape: Shape of its tables.
        published: Name of the paper's table to compare with, or None.
        seeds: Number of seeds per row in the complete benchmark.
        entries: Rows of the benchmark.
        readers: Line about the configurations that have read the test split.
    """

    name: str
    shape: str
    published: str | None
    seeds: int
    entries: tuple[Entry, ...]
    readers: str


def load_benchmark_results(folder: str | Path) -> Results:
    """Read the results of `groupdir benchmark`. Rows that were not trained yet have no metrics.

    Raises:
        DataError: If the folder is not the folder of a benchmark, or a result is broken.
    """
    refuse_old_benchmark(Path(folder))
    path = Path(folder) / BENCHMARK
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        config, rows = content["benchmark"], content["rows"]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; is it a folder of `groupdir benchmark`?") from error
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise DataError(f"{path}: is broken: {error}") from error
    entries = [Entry(row["label"], row["cell"], _seeds(Path(folder) / CONFIRMED / row["folder"])) for row in rows]
    if not any(entry.metrics for entry in entries):
        raise DataError(f"{folder}: no row has a test result yet: continue with `groupdir benchmark`")
    readers = _readers(Path(folder), [row["folder"] for row in rows])
    return Results(content["name"], config["shape"], config["published"], config["seeds"], tuple(entries), readers)


def _readers(folder: Path, rows: Sequence[str]) -> str:
    """Return the line about the configurations that have read the test split.

    Raises:
        DataError: If rows were measured on different data, or a file is broken.
    """
    paths = {row: sorted((folder / CONFIRMED / row).glob(f"*/{SEED_PREFIX}*/{PREDICTIONS}")) for row in rows}
    first = {row: read_predictions(files[0]) for row, files in paths.items() if files}
    if not first:
        return "test split: no predictions are kept, so the ledger of its readers is unknown"
    check_same_samples(list(first), list(first.values()))
    any_row = next(iter(first.values()))
    ledger = Ledger.of(any_row.config["data"].get("root"), folder / CONFIRMED)
    return ledger.line(any_row.data, any_row.samples, {each.configuration for each in first.values()})


def tables(results: Results) -> list[Ruled]:
    """Return the tables of a benchmark in the shape that its YAML requests."""
    if results.shape == "group_losses":
        return [_crossed(results, name) for name in GROUP_LOSSES]
    return [_methods(results)]


def _methods(results: Results) -> Ruled:
    """Return the table with one row per method or cell of a grid. The best value of each column is marked."""
    metrics = [METRICS[name] for name in COLUMNS.get(results.shape, COLUMNS["table1"])]
    columns = [(metric, shot) for metric in metrics for shot in metric.shots]
    header = ["", *(f"{metric.heading or metric.title} {shot}" for metric, shot in columns)]
    paper = TABLES.get(results.published or "", {})
    cells, means = [], []
    for entry in results.entries:
        label = entry.label + _short(entry, results)
        values = [_spread(entry, metric_name("", metric.name, shot), metric.factor) for metric, shot in columns]
        digits = [metric.digits for metric, _ in columns]
        cells.append([label, *(_text(value, number) for value, number in zip(values, digits, strict=True))])
        means.append([value[0] for value in values])
        if entry.label in paper:
            cells.append(
                [
                    PAPER,
                    *(_text((value, None), number) for value, number in zip(paper[entry.label], digits, strict=True)),
                ]
            )
            means.append([math.nan] * len(values))
    title = f"{results.name}: test set, mean ± standard deviation over {results.seeds} seeds"
    if paper:
        title += f"; in the paper: Pu et al. 2025, Table {(results.published or '')[-1]}"
    columns_of_means = zip(*means, strict=True)
    best = [_best(values, metric) for values, (metric, _) in zip(columns_of_means, columns, strict=True)]
    return Ruled(title, header, cells, {(row, 1 + column) for column, row in enumerate(best) if row is not None})


def _crossed(results: Results, name: str) -> Ruled:
    """Return the table of one metric, with a row per number of groups and a column per group loss."""
    _, metric, _, oracle = parse_metric(name)
    title = f"{metric.title} if the true group were known" if oracle else metric.heading or metric.title
    criteria = list(dict.fromkeys(str(entry.cell["method.group_loss"]) for entry in results.entries))
    groups = list(dict.fromkeys(entry.cell["method.groups"] for entry in results.entries))
    at = {(entry.cell["method.groups"], str(entry.cell["method.group_loss"])): entry for entry in results.entries}
    cells, means = [], []
    for group in groups:
        spreads = [_spread(at.get((group, criterion), Entry("")), name, metric.factor) for criterion in criteria]
        cells.append([str(group), *(_text(value, metric.digits) for value in spreads)])
        means.append([value[0] for value in spreads])
    marked = {(row, 1 + at_best) for row, values in enumerate(means) if (at_best := _best(values, metric)) is not None}
    return Ruled(f"{results.name}: {title}, test set, {results.seeds} seeds", ["groups", *criteria], cells, marked)


def _best(values: Sequence[float], metric: Metric) -> int | None:
    """Return the index of the best finite value (the first of equal ones), or None if there is no finite value."""
    finite = [(metric.sign * value, index) for index, value in enumerate(values) if math.isfinite(value)]
    return min(finite)[1] if finite else None


def _short(entry: Entry, results: Results) -> str:
    """Return the count of seeds for the label of a row with missing seeds, else an empty text."""
    count = len(entry.metrics)
    return "" if count in (0, results.seeds) else f" ({count} of {results.seeds} seeds)"


def _spread(entry: Entry, name: str, factor: float) -> tuple[float, float | None]:
    values = [factor * float(metrics[name]) for metrics in entry.metrics if name in metrics]
    if not values:
        return math.nan, None
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return mean, None
    return mean, math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _text(value: tuple[float, float | None], digits: int) -> str:
    mean, deviation = value
    if not math.isfinite(mean):
        return "–"
    return f"{mean:.{digits}f}" + ("" if deviation is None else f" ± {deviation:.{digits}f}")


def _seeds(folder: Path) -> list[dict[str, float]]:
    """Return the test metrics of every finished seed, without the prefix `test_`."""
    seeds = []
    for path in sorted(folder.glob(f"*/{SEED_PREFIX}*/{RESULT}")):
        try:
            metrics = json.loads(path.read_text(encoding="utf-8"))["metrics"]
            seeds.append({name.removeprefix("test_"): float(value) for name, value in metrics.items()})
        except (OSError, json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}: is broken: {error}: remove it and continue with `groupdir benchmark`") from error
    return seeds
