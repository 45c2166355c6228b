"""Benchmark tables in the shape of the paper's tables: our results on the test set, with the paper's numbers."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.benchmark.best_set import LEVEL, cannot_be_told_from_best
from analysis.benchmark.cells import Cell, blocks_text, cell_of
from analysis.benchmark.cost import Cost, costs_of
from analysis.intervals import CONFIDENCE
from analysis.published import TABLES
from analysis.ruled import Ruled
from groupdir.files.benchmark_record import BenchmarkRecord
from groupdir.metrics import METRICS, ORACLE, Metric, metric_name, parse_metric

PAPER = "  in the paper"
COLUMNS = {"table1": ("mae", "gm"), "table3": ("mse", "pearson")}
"""The two metrics of the columns by shape, each for all samples and for every shot."""

GROUP_LOSSES = ("group_accuracy", "mae_all", f"{ORACLE}mae_all")
"""Metrics of a grid of group losses, each with its own table."""

ONE_BLOCK = (
    "± is the standard deviation of one chosen configuration over training seeds. It leaves out the noise of the "
    "search, the choice and the data, so methods cannot be compared: set benchmark.replications to 5 or more."
)
ONE_BLOCK_OF_A_GRID = (
    "± is the standard deviation of one configuration over training seeds. It leaves out the noise of the data, so "
    "configurations cannot be compared: set benchmark.replications to 5 or more."
)


def tables(record: BenchmarkRecord) -> list[Ruled]:
    """Return the tables of a benchmark in the shape that its YAML requests.

    With replications, a cell is the mean over blocks with a 95 % interval, and each cell that cannot be told from the
    best of its column (in a crossed table: of its row) is marked; see `best_set.cannot_be_told_from_best`. Only blocks
    that all rows have are compared. Without replications no cell is marked.
    """
    if record.content["benchmark"]["shape"] == "group_losses":
        return [_crossed(record, name) for name in GROUP_LOSSES]
    return [_methods(record)]


def _methods(record: BenchmarkRecord) -> Ruled:
    """Return the table with one row per method or cell of a grid."""
    options = record.content["benchmark"]
    columns = columns_of(record)
    names = [metric_name("", metric.name, shot) for metric, shot in columns]
    paper = TABLES.get(options["published"] or "", {})
    costs = costs_of(record)
    header = [
        "",
        *(f"{metric.heading or metric.title} {shot}" for metric, shot in columns),
        *(Cost.header if costs else ()),
    ]
    labels = [row["label"] for row in record.content["rows"]]
    best = [best_rows(record, name, labels) for name in names]
    rows, marked = list[list[str]](), set[tuple[int, int]]()
    for label in labels:
        cells = [cell_of(record, label, name) for name in names]
        texts = [cell.text(metric) for cell, (metric, _) in zip(cells, columns, strict=True)]
        marked |= {(len(rows), 1 + column) for column, members in enumerate(best) if label in members}
        rows.append([label + blocks_text(record, label), *texts, *(costs[label].texts if costs else ())])
        if label in paper:
            texts = [Cell(value).text(metric, 1) for value, (metric, _) in zip(paper[label], columns, strict=True)]
            rows.append([PAPER, *texts, *([""] * (len(Cost.header) if costs else 0))])
    title = f"{record.content['name']}: test set, {_what(record)}"
    if paper:
        title += f"; in the paper: Pu et al. 2025, Table {options['published'][-1]}"
    return Ruled(title, header, rows, marked, _foot(record, "column", names, bool(costs)))


def _crossed(record: BenchmarkRecord, name: str) -> Ruled:
    """Return the table of one metric, with a row per number of groups and a column per group loss."""
    _, metric, _, oracle = parse_metric(name)
    heading = f"{metric.title} if the true group were known" if oracle else metric.heading or metric.title
    cells = [row["cell"] for row in record.content["rows"]]
    losses = list(dict.fromkeys(str(cell["method.group_loss"]) for cell in cells))
    at = {
        (row["cell"]["method.groups"], str(row["cell"]["method.group_loss"])): row["label"]
        for row in record.content["rows"]
    }
    rows, marked = list[list[str]](), set[tuple[int, int]]()
    for index, groups in enumerate(dict.fromkeys(cell["method.groups"] for cell in cells)):
        labels = [at.get((groups, loss)) for loss in losses]
        best = best_rows(record, name, [label for label in labels if label is not None])
        marked |= {(index, 1 + column) for column, label in enumerate(labels) if label in best}
        rows.append([str(groups), *(cell_of(record, label or "", name).text(metric) for label in labels)])
    title = f"{record.content['name']}: {heading}, test set, {_what(record)}"
    return Ruled(title, ["groups", *losses], rows, marked, _foot(record, "row", [name], searched=False))


def columns_of(record: BenchmarkRecord) -> list[tuple[Metric, str | None]]:
    """Return the metric and shot of each column of a table of methods."""
    metrics = [METRICS[name] for name in COLUMNS.get(record.content["benchmark"]["shape"], COLUMNS["table1"])]
    return [(metric, shot) for metric in metrics for shot in metric.shots]


def best_rows(record: BenchmarkRecord, name: str, labels: Sequence[str]) -> frozenset[str]:
    """Return the labels of the rows that cannot be told from the best one, or none if rows cannot be compared.

    Args:
        record: Record of the benchmark.
        name: Test metric, such as `mae_all`.
        labels: Labels of the rows to compare.
    """
    complete = record.complete_blocks(name, labels)
    if record.replications == 1 or min(complete.values.shape) < 2:
        return frozenset()
    members = cannot_be_told_from_best(parse_metric(name).metric.sign * complete.values)
    return frozenset(label for label, member in zip(complete.rows, members, strict=True) if member)


def _what(record: BenchmarkRecord) -> str:
    """Return what a cell shows, for the title."""
    if record.replications == 1:
        return f"mean ± standard deviation over {record.content['benchmark']['seeds']} seeds"
    return f"mean ± half of the {100 * CONFIDENCE:g} % interval over {record.replications} blocks"


def _foot(record: BenchmarkRecord, line: str, names: Sequence[str], searched: bool) -> list[str]:
    """Return the lines below a table.

    Args:
        record: Record of the benchmark.
        line: "column" or "row", the cells that are compared.
        names: Test metrics of the table.
        searched: Whether the table shows the cost of searches.
    """
    cost = (
        "trials, epochs and seconds are those of a row's searches; epochs and seconds include the confirmation. The "
        "epochs of each trial include its first stage, even if trials share one; the seconds of a shared stage count "
        "once."
    )
    lines = [cost] if searched else []
    if record.replications == 1:
        return [ONE_BLOCK if record.trials else ONE_BLOCK_OF_A_GRID, *lines]
    common = max(len(record.complete_blocks(name).values) for name in names)
    text = (
        f"* cannot be told from the best of its {line}: model confidence set by Tukey's range test on the {common} "
        f"blocks that all rows have, {100 * LEVEL:g} % level."
    )
    if common < 2:
        blocks = f"{common} block{'s' * (common != 1)}"
        text = f"no cell is marked: the rows with a result have {blocks} in common, and 2 are needed."
    block = f"Each block repeats search, choice and training with seeds of its own{_data(record)}."
    return [text, f"± is from Student's t over blocks. {block}", *lines]


def _data(record: BenchmarkRecord) -> str:
    """Return whether the blocks draw or split the data differently, or an empty text if that is unknown yet."""
    if record.draws > 1:
        return ", and draws or splits the data with its own seed"
    measured = {training.block for training in record.measured if training.samples is not None}
    return " on the same data" if len(measured) > 1 else ""
