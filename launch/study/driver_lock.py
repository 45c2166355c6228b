"""Lock that lets one driver at a time run a study."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from groupdir.errors import DataError
from groupdir.files.study_files import STUDY_LOCK
from groupdir.files.write_whole import write_error

NOT_LOCKABLE = (errno.EBADF, errno.ENOLCK, errno.ENOTSUP, errno.EINVAL)
"""Errors of a file system that cannot lock a folder, such as NFS."""


class DriverLock:
    """Lock on a study's folder. It ends with its process.

    The folder itself is locked: the lock holds when a file in the folder is removed, when the folder is renamed, and on
    each path that leads to it. The lock file is locked too, for network file systems, which lock no folders. It holds
    the number of the process.

    Args:
        folder: The study's folder.
        descriptor: The open folder.
        file: The open lock file.
    """

    def __init__(self, folder: Path, descriptor: int, file: int) -> None:
        self._folder = folder
        self._descriptor = descriptor
        self._file = file

    @classmethod
    def take(cls, folder: Path) -> Self:
        """Take the lock.

        Raises:
            DataError: If another driver holds it.
            FileWriteError: If the lock file cannot be written.
        """
        path = folder / STUDY_LOCK
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        file = -1
        try:
            is_free = _lock(descriptor)
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            if not (is_free and _lock(file)):
                pid = os.pread(file, 32, 0).decode(errors="replace").strip() or "unknown"
                text = f"another driver (process {pid}) is running this study: wait for it or end it"
                raise DataError(f"{folder}: {text}")
            os.ftruncate(file, 0)
            os.pwrite(file, str(os.getpid()).encode(), 0)
        except OSError as error:
            os.close(descriptor)
            if file >= 0:
                os.close(file)
            raise write_error(path, error) from error
        except BaseException:
            os.close(descriptor)
            os.close(file)
            raise
        return cls(folder, descriptor, file)

    @property
    def is_in_place(self) -> bool:
        """True if the path still leads to the locked folder."""
        try:
            return os.path.samestat(self._folder.stat(), os.fstat(self._descriptor))
        except OSError:
            return False

    def release(self) -> None:
        """Release the lock. Empty the lock file, so that it does not name an ended process."""
        if self._descriptor < 0:
            return
        with suppress(OSError):
            os.ftruncate(self._file, 0)
        os.close(self._file)
        os.close(self._descriptor)
        self._descriptor = -1


def is_driven(folder: Path) -> bool:
    """Return True if a process runs the search of a study.

    A process on another machine is noticed if the network file system supports locks.
    """
    for path in (folder, folder / STUDY_LOCK):
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # released at once: a search may be starting
        except BlockingIOError:
            return True
        except OSError:
            continue
        finally:
            os.close(descriptor)
    return False


def _lock(descriptor: int) -> bool:
    """Lock an open file or folder and return whether that succeeded. A folder that cannot be locked counts as locked.

    Retry briefly, because a process that only tests whether the lock is free holds it for a moment.
    """
    for wait in (0.0, 0.01, 0.1):
        time.sleep(wait)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        except OSError as error:
            if error.errno not in NOT_LOCKABLE:
                raise
        return True
    return False
