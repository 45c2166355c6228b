"""Checkpoint files of a trial. Loading a checkpoint never runs code from the file, even if somebody changed it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from groupdir.errors import DamagedFileError, DataError
from groupdir.files.sealed import damaged, sealed_file, verify_file
from groupdir.files.write_whole import make_folder

FORMAT = 2
OLD_FORMAT = 1
"""Format of checkpoints without a checksum."""


def save_checkpoint(path: str | Path, content: dict[str, Any]) -> None:
    """Write a checkpoint. After a crash or a power cut the file holds the old or the new content, never a part of it.

    Args:
        path: The file. The folders above it are created.
        content: Mappings and lists of tensors and scalars.

    Raises:
        FileWriteError: If the file or a folder above it cannot be written.
    """
    target = Path(path)
    make_folder(target.parent)
    with sealed_file(target, durable=True) as file:
        torch.save({"format": FORMAT, **content}, file)  # type: ignore[arg-type]  # a writer is enough


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Return the content of a checkpoint, with all tensors on the CPU.

    Raises:
        DataError: If the file is missing or is not a checkpoint of this format.
        DamagedFileError: If its content differs from what was written.
    """
    try:
        verified = verify_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except DataError:
        raise
    except Exception as error:  # torch raises errors of many classes for a file that is not its own, or is cut
        text = (str(error).splitlines() or [type(error).__name__])[0]
        raise DamagedFileError(f"{path}: is broken, or is not a groupdir checkpoint: {text}") from error
    if not isinstance(content, dict) or content.get("format") not in (FORMAT, OLD_FORMAT):
        value = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise DataError(f"{path}: must be a groupdir checkpoint of format {FORMAT}, got {value}")
    if not verified and content["format"] != OLD_FORMAT:
        raise damaged(path, "its checksum is gone")
    return content
