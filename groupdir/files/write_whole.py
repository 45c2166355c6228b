"""Writing of files and folders that appear whole or not at all: under another name in the same folder, then renamed.

The name of a partial file is `.<name>.<host>.<process>-<number>.part`. The process that writes it holds a lock on it,
so that the partial files of a killed process can be recognised; see `groupdir.files.abandoned`.
"""

from __future__ import annotations

import errno
import glob
import itertools
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from groupdir.errors import FileWriteError
from groupdir.files.abandoned import held
from groupdir.files.study_files import PARTIAL

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)
MISSING = (errno.ENOENT, errno.ENOTDIR)

REMEDIES = {
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EISDIR: "a folder of this name is in the way: rename it, or choose another name",
    errno.EEXIST: "something of this name is in the way: rename it, or choose another name",
    errno.ENOTEMPTY: "a folder of this name is in the way: rename it, or choose another name",
    errno.EXDEV: "the folder and the file are on different file systems: choose another folder",
    errno.ELOOP: "the path has a circle of links: choose another path",
    errno.ESTALE: "the network file system has lost the folder: mount it again, then run the command again",
    errno.EIO: "the disk or the network file system does not answer: check it, then run the command again",
    errno.ETXTBSY: "another program is using the file: end it, or choose another name",
}
"""What to do after other errors of the operating system."""

_numbers = itertools.count(1)  # two threads of one process may write the same file


def write_whole(path: str | Path, content: str | bytes, *, durable: bool = False) -> Path:
    """Write a text (as UTF-8) or bytes to a file. A reader sees the old content or the new one, never a part.

    Args:
        path: The file. Its folder must exist.
        content: Content of the file.
        durable: Whether the file must survive a power cut once this returns. This waits for the disk.

    Returns:
        The file.

    Raises:
        FileWriteError: If the disk is full, or the folder is missing or read-only.
    """
    with whole_file(path, durable=durable) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
    return Path(path)


@contextmanager
def whole_file(path: str | Path, *, durable: bool = False) -> Iterator[Path]:
    """Yield a path to write to, which is renamed to the file at the end of the context. On an error the old file stays.

    The path is that of an empty file, which is locked.

    Args:
        path: The file. Its folder must exist.
        durable: Whether the file must survive a power cut afterwards. This waits for the disk.

    Raises:
        FileWriteError: If the disk is full, or the folder is missing or read-only.
    """
    target = Path(path)
    with _explained(target, target):
        if target.is_symlink():
            target = target.resolve()  # the link stays, and the file that it names is replaced
    partial = partial_path(target)
    try:
        with _explained(target, partial), held(partial):
            yield partial
            if durable:
                _wait_for_disk(partial)
            partial.replace(target)
            if durable:
                _wait_for_disk(target.parent)
    finally:
        with _explained(target, partial):
            partial.unlink(missing_ok=True)


def create_whole(path: str | Path, content: str | bytes) -> bool:
    """Write a new file, unless another process has created it: then that file stays.

    Args:
        path: The file. Its folder must exist.
        content: Content of the file.

    Returns:
        Whether this call has created the file.

    Raises:
        FileWriteError: If the disk is full, or the folder is missing or read-only.
    """
    target = Path(path)
    partial = partial_path(target)
    try:
        with _explained(target, partial):
            partial.write_bytes(content.encode() if isinstance(content, str) else content)
            try:
                target.hardlink_to(partial)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK):  # a disk without hard links
                    raise
                if target.exists():
                    return False
                partial.replace(target)
    finally:
        with _explained(target, partial):
            partial.unlink(missing_ok=True)
    return True


@contextmanager
def whole_folder(path: str | Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a new folder to fill, which is renamed at the end of the context. On an error it is deleted.

    Args:
        path: The folder. The folders above it are created.
        replace: Whether an existing folder is deleted first. Otherwise only an empty one may exist.

    Raises:
        FileWriteError: If the disk is full, or the folder above is read-only.
    """
    target = Path(path)
    partial = partial_path(target)
    try:
        with _explained(target, partial), held(partial, folder=True):
            yield partial
            if replace:
                shutil.rmtree(target, ignore_errors=True)
            partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def make_folder(path: str | Path) -> Path:
    """Create a folder, and those above it, where they are missing. Return its path.

    Raises:
        FileWriteError: If a file is in the way, the disk is full, or the folder above is read-only.
    """
    target = Path(path)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        file = next(place for place in (target, *target.parents) if place.exists())
        raise FileWriteError(f"{target}: cannot be created: {file} is a file: choose another folder") from error
    except OSError as error:
        raise write_error(target, error) from error
    return target


def put_in_place(partial: Path, target: Path) -> None:
    """Rename a file that is complete to its final name.

    Raises:
        FileWriteError: If it cannot be renamed.
    """
    with _explained(target, partial):
        partial.replace(target)


def output_folder(folder: Path) -> Path:
    """Return the folder for results about a folder: the folder itself, or the current folder if it is read-only."""
    return folder if os.access(folder, os.W_OK) else Path.cwd()


def discard_partials(path: str | Path) -> None:
    """Delete the partial files and folders of a path that remain from killed processes.

    Call this only under a lock that excludes every other process that could write the same path.
    """
    target = Path(path)
    for partial in target.parent.glob(f".{glob.escape(target.name)}.*{PARTIAL}"):
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink()


def partial_path(path: Path) -> Path:
    """Return a new name in the same folder, under which a file or folder is written before it is renamed."""
    host = socket.gethostname().partition(".")[0]
    return path.with_name(f".{path.name}.{host}.{os.getpid()}-{next(_numbers)}{PARTIAL}")


@contextmanager
def _explained(target: Path, partial: Path) -> Iterator[None]:
    """Turn an error of the operating system about the two paths into one that says what to do.

    An error about another file passes unchanged, for example about a file that is read while this one is written.
    """
    try:
        yield
    except OSError as error:
        ours = error.filename is None or Path(os.fsdecode(error.filename)).is_relative_to(partial)
        if error.errno is None or not (ours or error.filename == str(target)):
            raise
        raise write_error(target, error) from error


def write_error(target: Path, error: OSError) -> FileWriteError:
    """Return the error for a file or folder that could not be written: what is wrong, where, and what to do."""
    folder = target.parent
    if error.errno in FULL:
        what = f"the disk of {folder} is full ({_free(folder)}): free some space there, then run the command again"
    elif error.errno in FORBIDDEN:
        what = f"{folder} is read-only for this user: make it writable, or choose another folder"
    elif error.errno in MISSING:
        what = f"the folder {folder} does not exist: create it, or choose another folder"
    else:
        remedy = REMEDIES.get(error.errno or 0, "choose another place, or ask who runs this machine")
        what = f"{error.strerror or error}: {remedy}"
    return FileWriteError(f"{target}: cannot be written: {what}", disk_full=error.errno in FULL)


def _free(folder: Path) -> str:
    """Return the free space of a folder's disk, as a text."""
    try:
        return f"{shutil.disk_usage(folder).free:,} bytes free"
    except OSError:
        return "free space unknown"


def _wait_for_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
