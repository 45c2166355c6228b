"""Files appear whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from groupdir.errors import DataError


def write_whole(path: Path, data: str | bytes) -> Path:
    """Writes beside the target and renames, so that no reader ever sees half a file.

    Raises:
        DataError: The folder cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(data.encode() if isinstance(data, str) else data)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise DataError(f"{path}: cannot be written: {error.strerror}") from error
    return path
