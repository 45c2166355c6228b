"""Parquet files of a study: rows, with the exact configurations in the footer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from groupdir.errors import DataError
from groupdir.files.schema import other_schema
from groupdir.files.sealed import PARQUET_KEY, UNSET, damaged, seal_parquet, verify_parquet
from groupdir.files.study_files import SCHEMA, column_type
from groupdir.files.write_whole import whole_file

if TYPE_CHECKING:
    import pyarrow as pa

FOOTER = b"groupdir"
SEALED = "sealed"
"""Entry of the footer that says that the file has a checksum."""


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

    text = json.dumps({"schema": SCHEMA, SEALED: True, **footer}, allow_nan=False)
    table = table.replace_schema_metadata({FOOTER: text.encode()})
    with whole_file(path) as partial:
        with pq.ParquetWriter(partial, table.schema, compression=compression, write_page_checksum=True) as writer:
            writer.write_table(table)
            writer.add_key_value_metadata({PARQUET_KEY: UNSET})
        seal_parquet(partial)


def read_parquet(path: str | Path, *, foreign: bool = False) -> tuple[pa.Table, dict[str, Any]]:
    """Return the rows and the footer of a file.

    Args:
        path: The file.
        foreign: Accept a file that another program wrote. Its footer is empty.

    Raises:
        DataError: If the file is missing or broken, is not groupdir's, or was written under another schema.
        DamagedFileError: If its content differs from what was written.
    """
    import pyarrow as pa

    try:
        content = Path(path).read_bytes()
        verified = verify_parquet(path, content)
        table = parse_parquet(pa.BufferReader(content))
        footer = json.loads((table.schema.metadata or {}).get(FOOTER, b"{}"))
    except (OSError, pa.ArrowException, ValueError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from error
    if not verified and SEALED in footer:
        raise damaged(path, "its checksum is gone")
    footer.pop(SEALED, None)
    if foreign and not footer:
        return table, footer
    if "schema" not in footer:
        raise DataError(f"{path}: has no groupdir footer: was it written by another program?")
    if footer["schema"] != SCHEMA:
        raise other_schema(path, footer["schema"])
    return table, footer


def parse_parquet(source: Any) -> pa.Table:
    """Return the rows of a Parquet file, read by the thread that calls.

    `pyarrow.parquet.read_table` starts threads. When a program ends soon after that, pyarrow sometimes aborts the
    process while it stops them (status -6, "terminate called without an active exception"), and a shell sees a
    failure although all was printed. The files here are small enough for one thread.

    Args:
        source: A path, an open file, or one of pyarrow's readers.

    Raises:
        pa.ArrowException: If the content is no Parquet or is broken.
        OSError: If a path cannot be read.
    """
    import pyarrow.parquet as pq

    with pq.ParquetFile(source, pre_buffer=False) as file:
        return file.read(use_threads=False)


def arrow_type(name: str) -> pa.DataType:
    """Return the Arrow type of a column."""
    import pyarrow as pa

    arrow: dict[type, pa.DataType] = {int: pa.int64(), str: pa.string(), bool: pa.bool_(), float: pa.float64()}
    return arrow[column_type(name)]
