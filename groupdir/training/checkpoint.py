"""A trial's checkpoint: one file, written beside and renamed, that loads without running any code it holds."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from groupdir.errors import DataError

FORMAT = 1


def save_checkpoint(path: str | Path, content: dict[str, Any]) -> None:
    """Writes a checkpoint; the file is the old one or the new one at every moment.

    Args:
        path: The file.
        content: Tensors in plain mappings and lists, and scalars.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            torch.save({"format": FORMAT, **content}, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Reads a checkpoint onto the CPU.

    Raises:
        DataError: The file is missing, broken, or no checkpoint of this format.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        raise DataError(f"{path}: is no groupdir checkpoint, or is broken: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        came = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise DataError(f"{path}: must be a groupdir checkpoint of format {FORMAT}, got {came}")
    return content
