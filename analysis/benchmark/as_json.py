"""Results of a benchmark as JSON."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from analysis.benchmark.best_of_n import BestOfN, best_of_n
from analysis.benchmark.cells import cell_of
from analysis.benchmark.cost import costs_of
from analysis.benchmark.tables import best_rows
from groupdir.files.benchmark_record import BenchmarkRecord


def benchmark_to_json(record: BenchmarkRecord) -> dict[str, Any]:
    """Return the rows of a benchmark with their metrics, cost and curves; docs/json_output.md explains the keys."""
    options = record.content["benchmark"]
    names = dict.fromkeys(name.removeprefix("test_") for training in record.measured for name in training.metrics)
    labels = [row["label"] for row in record.content["rows"]]
    best = {name: best_rows(record, name, labels) for name in names}
    curves = {curve.row: _curve(curve) for curve in best_of_n(record)}
    costs = costs_of(record)
    rows = [
        {
            "label": row["label"],
            "cell": row["cell"],
            "metrics": {name: _metric(record, row["label"], name, best[name]) for name in names},
            **(vars(costs[row["label"]]) if costs else {}),
            "expected_best": curves.get(row["label"], []),
        }
        for row in record.content["rows"]
    ]
    return {
        "name": record.content["name"],
        "select": options["select"],
        "replications": record.replications,
        "seeds": options["seeds"],
        "readers": record.readers,
        "rows": rows,
    }


def _metric(record: BenchmarkRecord, label: str, name: str, best: Collection[str]) -> dict[str, Any]:
    """Return a test metric of a row.

    Args:
        record: Record of the benchmark.
        label: Label of the row.
        name: Test metric.
        best: Labels of the rows that cannot be told from the best one; empty if rows cannot be compared.
    """
    cell = cell_of(record, label, name)
    values = [
        {"block": training.block, "seed": training.seed, "value": training.metrics[f"test_{name}"]}
        for training in record.measured
        if training.row == label and f"test_{name}" in training.metrics
    ]
    compared = label in best if best else None
    return {"mean": cell.mean, "spread": cell.spread, "cannot_be_told_from_best": compared, "values": values}


def _curve(curve: BestOfN) -> list[dict[str, Any]]:
    """Return the points of a curve."""
    return [
        {"trials": number, "value": value, "half_width": half}
        for number, (value, half) in enumerate(
            zip(curve.values.tolist(), curve.half_widths.tolist(), strict=True), start=1
        )
    ]
