"""Embeddings of sentence pairs from Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from groupdir.errors import DataError
from groupdir.files.parquet import parse_parquet


def read_embeddings(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Read embedding pairs (N, 2, D) float32 and, if the file has them, scores (N,) float32, else None.

    Raises:
        DataError: If the file is missing or broken, lacks a column or has no row, or if a vector is not finite or
            differs in length from the others. Rows are counted from 0.
    """
    import pyarrow as pa

    try:
        table = parse_parquet(path)
        names = table.column_names  # decodes the names, which may fail for a broken file
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path}: embeddings cannot be read as Parquet: {error}") from error
    if missing := [name for name in ("embedding1", "embedding2") if name not in names]:
        raise DataError(f"{path}: must have the columns embedding1 and embedding2, got no {', '.join(missing)}")
    if not len(table):
        raise DataError(f"{path}: must have rows, got none")
    sides = [_vectors(table, name, path) for name in ("embedding1", "embedding2")]
    if sides[0].shape != sides[1].shape:
        lengths = f"{sides[0].shape[1]} and {sides[1].shape[1]}"
        raise DataError(f"{path}: embedding1 and embedding2 must have the same length, got {lengths}")
    arrays = np.stack(sides, axis=1)
    if (bad := np.flatnonzero(~np.isfinite(arrays).all(axis=(1, 2)))).size:
        raise DataError(f"{path}: row {bad[0]}: embeddings must be finite ({bad.size} rows are not)")
    if "score" not in names:
        return arrays, None
    score = table.column("score")
    if not _is_number(score.type):
        raise DataError(f"{path}: score must hold numbers, got {score.type}")
    return arrays, score.to_numpy().astype(np.float32)


def _vectors(table: Any, name: str, path: Path) -> np.ndarray:
    """Return a column of embeddings as (N, D) float32."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = table.column(name).combine_chunks()
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if not any(test(column.type) for test in lists) or not _is_number(column.type.value_type):
        raise DataError(f"{path}: {name} must hold lists of numbers, got {column.type}")
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    if (bad := np.flatnonzero((lengths == 0) | (lengths != lengths[0]))).size:
        counts = f"{lengths[bad[0]]} (row 0: {lengths[0]})"
        raise DataError(
            f"{path}: row {bad[0]}: {name} must hold as many numbers as in row 0, at least one, got {counts}"
        )
    vectors: np.ndarray = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    return vectors.reshape(len(column), -1)


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
