"""Parquet files of a study: rows, with the exact configurations in the footer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from groupdir.errors import DataError
from groupdir.files.schema import other_schema
from groupdir.files.study_files import SCHEMA, column_type
from groupdir.files.write_whole import whole_file

if TYPE_CHECKING:
    import pyarrow as pa

FOOTER = b"groupdir"


def write_parquet(path: str | Path, rows: Sequence[Mapping[str, Any]], footer: Mapping[str, Any]) -> None:
    """Write rows to a file. A reader sees the old file or the new one, never a part.

    Args:
        path: The file.
        rows: Column -> value. A column that a row lacks is null. `column_type` gives the type of a column.
        footer: JSON content for the footer, such as `{"study": ..., "configs": {...}}`. The schema's version is added.

    Raises:
        FileWriteError: If the disk is full, or the folder is missing or read-only.
    """
    import pyarrow as pa

    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in names}
    write_table(path, pa.table(columns, schema=pa.schema([(name, arrow_type(name)) for name in names])), footer)


def write_table(
    path: str | Path, table: pa.Table, footer: Mapping[str, Any], compression: Literal["snappy", "zstd"] = "snappy"
) -> None:
    """Write a table of any types with a footer, as `write_parquet` does. zstd is smaller and slower than snappy.

    Raises:
        FileWriteError: If the disk is full, or the folder is missing or read-only.
    """
    import pyarrow.parquet as pq

    text = json.dumps({"schema": SCHEMA, **footer}, allow_nan=False)
    with whole_file(path) as partial:
        pq.write_table(table.replace_schema_metadata({FOOTER: text.encode()}), partial, compression=compression)


def read_parquet(path: str | Path, *, foreign: bool = False) -> tuple[pa.Table, dict[str, Any]]:
    """Return the rows and the footer of a file.

    Args:
        path: The file.
        foreign: Accept a file that another program wrote. Its footer is empty.

    Raises:
        DataError: If the file is missing or broken, is not groupdir's, or was written under another schema.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from error
    footer = json.loads((table.schema.metadata or {}).get(FOOTER, b"{}"))
    if foreign and not footer:
        return table, footer
    if "schema" not in footer:
        raise DataError(f"{path}: has no groupdir footer: was it written by another program?")
    if footer["schema"] != SCHEMA:
        raise other_schema(path, footer["schema"])
    return table, footer


def arrow_type(name: str) -> pa.DataType:
    """Return the Arrow type of a column."""
    import pyarrow as pa

    arrow: dict[type, pa.DataType] = {int: pa.int64(), str: pa.string(), bool: pa.bool_(), float: pa.float64()}
    return arrow[column_type(name)]
