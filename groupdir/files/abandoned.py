"""Partial files and temporary folders that killed processes have left, recognised by locks that nobody holds."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from groupdir.files.study_files import PARTIAL

TEMPORARY_LOCK = "process.lock"
"""Locked file in a temporary folder. A folder without it is not of this version and is left alone."""


@contextmanager
def held(path: Path, *, folder: bool = False) -> Iterator[None]:
    """Create a file or folder, and hold a lock on it within the context, even after it has been renamed.

    Args:
        path: New path.
        folder: Whether to create a folder, with the folders above it, instead of a file.
    """
    while True:
        if folder:
            path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR | os.O_CREAT, 0o666)
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            if os.path.samestat(path.stat(), os.fstat(descriptor)):
                break
        except FileNotFoundError:  # another process removed it as abandoned before it was locked
            pass
        os.close(descriptor)
    try:
        yield
    finally:
        os.close(descriptor)


def discard_abandoned(folder: Path, patterns: Iterable[str]) -> list[Path]:
    """Delete the partial files and folders of ended processes, and return them.

    Args:
        folder: Folder to search.
        patterns: Glob patterns below the folder, without PARTIAL at their ends.
    """
    discarded = []
    for pattern in patterns:
        for path in folder.glob(pattern + PARTIAL):
            if is_abandoned(path):
                _remove(path)
                discarded.append(path)
    return discarded


def is_abandoned(path: Path) -> bool:
    """Return whether the process that was writing a partial file or folder has ended.

    A lock decides. Where the file system has none, the name must be that of an ended process of this host.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return _names_ended_process(path)
    finally:
        os.close(descriptor)
    return True


@contextmanager
def temporary_folder(prefix: str, parent: str | None = None) -> Iterator[Path]:
    """Yield a new temporary folder, which is deleted at the end. First delete those that killed processes have left.

    Args:
        prefix: Start of the names of these folders.
        parent: Folder that holds them; by default that of the system.
    """
    parent_folder = Path(parent or tempfile.gettempdir())
    for lock in parent_folder.glob(f"{prefix}*/{TEMPORARY_LOCK}"):
        if _is_unlocked(lock):
            _remove(lock.parent)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent_folder))
    new = folder / f"{TEMPORARY_LOCK}.new"
    descriptor = os.open(new, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        new.rename(folder / TEMPORARY_LOCK)  # only now: no other process sees it unlocked
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _is_unlocked(lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:  # gone meanwhile, or of another user
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _names_ended_process(path: Path) -> bool:
    """Return whether the name of a partial file is that of an ended process of this host."""
    process = path.name.removesuffix(PARTIAL).rpartition(".")[2].partition("-")[0]
    if socket.gethostname().partition(".")[0] not in path.name.split(".") or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


def _remove(path: Path) -> None:
    """Delete a file or a folder. What cannot be deleted stays: it may belong to another user."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
