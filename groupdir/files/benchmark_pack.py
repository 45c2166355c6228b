"""Pack of a benchmark: one small Parquet file with everything behind its tables.

A row of the file is a trial of a search, as in TRIALS, or a training that was measured on the test set. Predictions are
float32; a value of 100 is then rounded by at most 0.000004. They are float64 if the labels are. All metrics keep their
float64 values, so the tables from a pack are those of the folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from groupdir.errors import DataError
from groupdir.files.benchmark_record import BenchmarkRecord, MeasuredTraining, record_of_folder
from groupdir.files.parquet import arrow_type, read_parquet, write_table
from groupdir.files.study_files import MEASURED, PACK_COLUMNS
from groupdir.files.write_whole import make_folder

if TYPE_CHECKING:
    import pyarrow as pa

BENCHMARK_KEY, READERS_KEY = "benchmark", "readers"
"""Entries of the footer: the content of the benchmark's file, and the line about the readers of the test split."""


def read_benchmark(path: str | Path) -> BenchmarkRecord:
    """Return the record of a benchmark, from its folder or from its pack. A pack gives no `predictions`.

    Raises:
        DataError: If the path is neither, a file is broken, or no row was measured.
    """
    path = Path(path)
    return read_pack(path) if path.is_file() else record_of_folder(path)


def write_pack(record: BenchmarkRecord, path: str | Path) -> Path:
    """Write the record of a benchmark to a file, and return the file.

    Raises:
        FileWriteError: If the disk is full, or the folder is read-only.
    """
    import pyarrow as pa

    rows = [*map(dict, record.trials), *map(_measured_row, record.measured)]
    names = list(dict.fromkeys([*PACK_COLUMNS, *(name for row in rows for name in row)]))
    columns = {name: [row.get(name) for row in rows] for name in names}
    wide = any(np.asarray(row["targets"]).dtype == np.float64 for row in rows if row.get("targets") is not None)
    table = pa.table(columns, schema=pa.schema([(name, _type(name, wide)) for name in names]))
    make_folder(Path(path).parent)
    footer = {BENCHMARK_KEY: dict(record.content), READERS_KEY: record.readers}
    write_table(path, table, footer, compression="zstd")
    return Path(path)


def read_pack(path: str | Path) -> BenchmarkRecord:
    """Return the record of a benchmark from the file that `write_pack` wrote.

    Raises:
        DataError: If the file is missing or broken, or is not a pack.
    """
    table, footer = read_parquet(path)
    missing = sorted(set(PACK_COLUMNS) - set(table.column_names))
    if missing or not {BENCHMARK_KEY, READERS_KEY} <= footer.keys():
        what = f"lacks {', '.join(missing)}" if missing else "has no benchmark in its footer"
        raise DataError(f"{path}: {what}: name a folder of `groupdir benchmark` or a file of `groupdir benchmark-pack`")
    left_out = {"targets", "predictions"}
    rows = table.drop_columns(sorted(left_out)).to_pylist()
    extra = PACK_COLUMNS.keys() - {"row", "block"}
    trials = [{name: row[name] for name in row if name not in extra} for row in rows if row["role"] != MEASURED]
    measured = [_measured_training(row) for row in rows if row["role"] == MEASURED]
    return BenchmarkRecord(footer[BENCHMARK_KEY], footer[READERS_KEY], tuple(measured), tuple(trials))


def _measured_row(training: MeasuredTraining) -> dict[str, Any]:
    """Return the row of a measured training."""
    row = {
        "row": training.row,
        "block": training.block,
        "role": MEASURED,
        "seed": training.seed,
        "epoch": training.epoch,
        "chosen": training.chosen,
        **training.metrics,
    }
    saved = training.predictions
    if saved is None:
        return row
    return row | {
        "configuration": saved.configuration,
        "samples": saved.samples,
        "shots": json.dumps(saved.shots.to_dict()),
        "targets": saved.target,
        "predictions": np.asarray(saved.prediction, dtype=saved.target.dtype),
    }


def _measured_training(row: Mapping[str, Any]) -> MeasuredTraining:
    """Return the measured training of a row."""
    metrics = {name: value for name, value in row.items() if name.startswith("test_") and value is not None}
    return MeasuredTraining(row["row"], row["block"], row["seed"], row["epoch"], metrics, row["chosen"], row["samples"])


def _type(name: str, wide: bool) -> pa.DataType:
    """Return the Arrow type of a column. Lists hold float64 if `wide` is set, else float32."""
    import pyarrow as pa

    kind = PACK_COLUMNS.get(name)
    if kind is list:
        return pa.list_(pa.float64() if wide else pa.float32())
    return {str: pa.string(), int: pa.int64()}[kind] if kind is not None else arrow_type(name)
