"""A trial's checkpoint: one file, which loads without running any code that it may hold."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from groupdir.errors import DataError
from groupdir.files.write_whole import whole_file

FORMAT = 1


def save_checkpoint(path: str | Path, content: dict[str, Any]) -> None:
    """Write a checkpoint. A crash or a power cut leaves the old file or the new one, never a part.

    Args:
        path: The file.
        content: Tensors in plain mappings and lists, and scalars.

    Raises:
        FileWriteError: The disk is full, or the folder is read-only.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target, durable=True) as partial, partial.open("wb") as file:
        torch.save({"format": FORMAT, **content}, file)


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
