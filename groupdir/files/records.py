"""What a study leaves behind: Parquet rows with the exact configurations in the footer."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from groupdir.errors import DataError
from groupdir.metrics import sign

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA = 1
FOOTER = b"groupdir"
Status = Literal["running", "paused", "finished", "stopped", "failed"]
EPOCH_REPORT: Mapping[str, type] = {
    "stage": str,
    "stage_epoch": int,
    "predicts": bool,
    "fidelity": int,
    "seconds": float,
    "last": bool,
}
"""What an epoch's event holds next to its metrics: name -> type. See `groupdir.config.stage.Position`."""

EPOCH_FIELDS: Mapping[str, type] = {"seq": int, "epoch": int, "time": float, **EPOCH_REPORT}
"""Every entry of an epoch that is not a metric: those of its report, its number, and where and when it was logged."""

WHOLE = {"trial", "seed", "epochs"} | {name for name, kind in EPOCH_FIELDS.items() if kind is int}
FLAGS = {name for name, kind in EPOCH_FIELDS.items() if kind is bool}
TEXT = {"role", "label", "status", "message", "digest"} | {name for name, kind in EPOCH_FIELDS.items() if kind is str}
PARAM = "param:"


def write_parquet(path: str | Path, rows: Sequence[Mapping[str, Any]], footer: Mapping[str, Any]) -> None:
    """Writes rows beside the file, then renames: a reader sees the old file or the new one, never half of one.

    Args:
        path: The file.
        rows: Column -> value; a column that a row lacks is null. Columns of `WHOLE` are int64, those of `FLAGS`
            bool, those of `TEXT` and those that start with `param:` texts, all others float64.
        footer: JSON content for the footer, such as `{"study": ..., "configs": {...}}`; the schema's version is added.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = list(dict.fromkeys(name for row in rows for name in row))
    text = json.dumps({"schema": SCHEMA, **footer}, allow_nan=False)
    schema = pa.schema([(name, _type(name)) for name in names], metadata={FOOTER: text.encode()})
    columns = {name: [row.get(name) for row in rows] for name in names}
    beside = Path(f"{path}.{os.getpid()}.part")
    try:
        pq.write_table(pa.table(columns, schema=schema), beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def read_parquet(path: str | Path) -> tuple[pa.Table, dict[str, Any]]:
    """Reads rows and footer.

    Raises:
        DataError: The file is missing, broken, none of ours, or of another schema version.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from error
    footer = json.loads((table.schema.metadata or {}).get(FOOTER, b"{}"))
    if footer.get("schema") != SCHEMA:
        came = footer.get("schema", "no groupdir footer")
        raise DataError(
            f"{path}: must have a groupdir footer of schema {SCHEMA}, got {came}: write it again with this version"
        )
    return table, footer


def selected(rows: Sequence[Mapping[str, Any]], keep: Literal["best", "last"], metric: str) -> Mapping[str, Any]:
    """Return the epoch that stands for a trial.

    Args:
        rows: Its epochs, in order; at least one.
        keep: "best": the best value of `metric`, the earlier one of equals; "last": the last.
        metric: Such as `val_mae_all`; its direction says which value is best. Rows without a finite value are
            passed over; without any, the last row stands.

    >>> selected([{"val_mae_all": 3.0}, {"val_mae_all": 2.0}, {"val_mae_all": 2.5}], "best", "val_mae_all")
    {'val_mae_all': 2.0}
    """
    measured = [row for row in rows if (value := row.get(metric)) is not None and math.isfinite(value)]
    if keep == "last" or not measured:
        return rows[-1]
    towards = sign(metric)
    return min(measured, key=lambda row: towards * float(row[metric]))


def _type(name: str) -> pa.DataType:
    import pyarrow as pa

    if name in WHOLE:
        return pa.int64()
    if name in FLAGS:
        return pa.bool_()
    return pa.string() if name in TEXT or name.startswith(PARAM) else pa.float64()
