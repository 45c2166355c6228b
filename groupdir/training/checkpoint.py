"""Checkpoint files of a trial. Loading a checkpoint never runs code from the file, even if somebody changed it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from groupdir.errors import DataError
from groupdir.files.write_whole import whole_file

FORMAT = 1


def save_checkpoint(path: str | Path, content: dict[str, Any]) -> None:
    """Write a checkpoint. After a crash or a power cut the file holds the old or the new content, never a part of it.

    Args:
        path: The file. The folders above it are created.
        content: Mappings and lists of tensors and scalars.

    Raises:
        FileWriteError: If the disk is full or the folder is read-only.
        OSError: If a folder above the file cannot be created.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target, durable=True) as partial, partial.open("wb") as file:
        torch.save({"format": FORMAT, **content}, file)


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return the content of a checkpoint, with all tensors on the CPU.

    Raises:
        DataError: If the file is missing, is broken or is not a checkpoint of this format.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (RuntimeError, pickle.UnpicklingError, EOFError, ValueError) as error:
        raise DataError(f"{path}: is broken, or is not a groupdir checkpoint: {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        value = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise DataError(f"{path}: must be a groupdir checkpoint of format {FORMAT}, got {value}")
    return content
