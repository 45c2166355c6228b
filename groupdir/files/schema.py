"""Errors about files that another version of groupdir wrote."""

from __future__ import annotations

from pathlib import Path

from groupdir.errors import DataError
from groupdir.files.study_files import OLD_BENCHMARK, SCHEMA


def other_schema(folder: str | Path, schema: object) -> DataError:
    """Return the error for a study or benchmark that was written under another schema.

    >>> print(other_schema("results/digits", 3))
    results/digits: was written by a newer groupdir (schema 3, this version reads 2): use the version that wrote it
    """
    try:
        older = int(str(schema)) < SCHEMA
    except ValueError:
        return DataError(f"{folder}: has no schema that groupdir knows ({schema}, this version reads {SCHEMA})")
    if older:
        why = f"older groupdir (schema {schema}, this version reads {SCHEMA}): search again, or use"
    else:
        why = f"newer groupdir (schema {schema}, this version reads {SCHEMA}): use"
    return DataError(f"{folder}: was written by {'an' if older else 'a'} {why} the version that wrote it")


def refuse_old_benchmark(folder: Path) -> None:
    """Refuse the folder of a benchmark that schema 1 wrote.

    Raises:
        DataError: If the folder holds such a benchmark.
    """
    if (folder / OLD_BENCHMARK).is_file():
        raise other_schema(folder, 1)
