"""Pictures decoded once per node, into a file of bytes that every process maps and none loads.

A cache is two files in one folder. `<key>.pictures` holds the pictures and nothing else, `(N, size, size, 3)` bytes:
channels last, because that is how PIL gives them, because the rows of a crop are then contiguous and are gathered as
such, and because it is the memory format in which convolutions are fastest. `<key>.json` says what it must be: its
shape, which rows of the manifest are not in it and why, and a checksum of every block of 64 pictures. It is written
last, so that a builder that is killed leaves nothing that anyone trusts.

The key is a digest of the rows (their paths beside the manifest, sizes and times of change), the picture size and
`FORMAT`: a picture that changes makes another cache. Old ones are never removed: delete the folder to have its disk
back.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import sys
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from groupdir.data.manifest import Rows
from groupdir.data.photos.decode import decode_all
from groupdir.errors import DataError, FileWriteError
from groupdir.files.write_whole import discard_partials, whole_file, write_whole

FORMAT = 1
SPARE = 2**26
"""Bytes of the disk that a cache leaves free: 64 MiB."""

_BLOCK = 64  # pictures to a checksum
_WHOLE, _SAMPLE = 2**28, 16  # bytes up to which every block is checked at opening; blocks that are checked above


@dataclass(frozen=True)
class Cached:
    """A finished cache; as small as it looks when it is pickled.

    Attributes:
        path: The file of pictures.
        shape: `(N, size, size, 3)`.
        broken: Rows that are not in it, as their index among all rows and the reason.
    """

    path: Path
    shape: tuple[int, int, int, int]
    broken: tuple[tuple[int, str], ...] = ()

    @property
    def nbytes(self) -> int:
        """Size of the file."""
        return int(np.prod(self.shape))

    def is_there(self) -> bool:
        """Whether this machine has the file, of the right size."""
        return self.path.is_file() and self.path.stat().st_size == self.nbytes

    def pictures(self) -> np.memmap:
        """The pictures, mapped read-only: what is read of them is in the page cache, once for all processes."""
        return np.memmap(self.path, np.uint8, "r", shape=self.shape)


def open_or_build(rows: Rows, size: int, folder: Path) -> Cached:
    """The cache of some rows, built by the first process that asks; others wait for it, and then open it.

    Opening checks the size of the file and the checksums of the whole of it up to 256 MiB, and of 16 blocks spread over
    it above; after building, all of it is read back and checked. A file that does not hold is said to be broken and
    built anew.

    Args:
        rows: The pictures.
        size: Height and width that they are resized to, in pixels.
        folder: Where caches are; made where it is not there.

    Raises:
        DataError: The folder cannot be written to, or its disk is full.
    """
    found = _existing(folder, key := cache_key(rows, size))
    if found is not None:
        return found
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            return _existing(folder, key) or _build(rows, size, folder, key)
    except OSError as error:
        raise DataError(f"{folder}: pictures cannot be cached there: {error}: set data.cache to a folder") from error


def cache_key(rows: Rows, size: int) -> str:
    """32 hexadecimal digits that name the content of a cache; a folder that moves as a whole keeps its keys."""
    digest = hashlib.sha256(f"{FORMAT} {size}".encode())
    beside = str(rows.manifest.parent) + os.sep
    for file in rows.files:
        try:
            status = file.stat()
            about = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            about = "none"
        digest.update(b"\0" + os.fsencode(str(file).removeprefix(beside)) + b"\0" + about.encode())
    return digest.hexdigest()[:32]


def _existing(folder: Path, key: str) -> Cached | None:
    """The cache of a key if it is there and holds; says so if it is there and does not."""
    sidecar = folder / f"{key}.json"
    try:
        content = json.loads(sidecar.read_text(encoding="utf-8"))
        found = _cached(folder, key, content)
        wrong = _wrong(found, content["checksums"], everything=found.nbytes <= _WHOLE)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        wrong = f"{sidecar.name} cannot be read: {error}"
    else:
        if wrong is None:
            return found
    warnings.warn(f"{_file(folder, key)}: is broken ({wrong}); it is built anew", stacklevel=2)
    return None


def _wrong(cached: Cached, checksums: list[int], everything: bool) -> str | None:
    """What is wrong with a file, or None; every block is read, or some."""
    size = cached.path.stat().st_size
    if size != cached.nbytes:
        return f"must have {cached.nbytes:,} bytes, got {size:,}"
    count = -(-cached.shape[0] // _BLOCK)
    if len(checksums) != count:
        return f"must have {count} checksums, got {len(checksums)}"
    numbers = range(count) if everything else np.linspace(0, count - 1, min(count, _SAMPLE)).astype(int)
    bytes_of_a_block = _BLOCK * int(np.prod(cached.shape[1:]))
    with cached.path.open("rb") as file:
        for number in numbers:
            file.seek(int(number) * bytes_of_a_block)
            if zlib.crc32(file.read(bytes_of_a_block)) != checksums[number]:
                first = int(number) * _BLOCK
                return f"the checksum of pictures {first} to {min(first + _BLOCK, cached.shape[0]) - 1} differs"
    return None


def _build(rows: Rows, size: int, folder: Path, key: str) -> Cached:
    """Decode all rows into a file and check it. The caller holds the lock."""
    target, sidecar = _file(folder, key), folder / f"{key}.json"
    discard_partials(target)
    discard_partials(sidecar)
    need = len(rows.files) * size * size * 3
    try:
        with whole_file(target) as partial, partial.open("wb") as file:
            _reserve(file, need, folder)
            content = _write(rows, size, file, folder)
        cached = _cached(folder, key, content)
        if (wrong := _wrong(cached, content["checksums"], everything=True)) is not None:
            raise DataError(f"{target}: was written and read back otherwise ({wrong}): is the disk broken?")
        write_whole(sidecar, json.dumps(content))
    except FileWriteError as error:
        target.unlink(missing_ok=True)
        raise (_disk_full(folder, need) if error.disk_full else error) from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return cached


def _write(rows: Rows, size: int, file: BinaryIO, folder: Path) -> dict[str, Any]:
    """Writes the pictures that can be decoded, one after the other, and gives what stands in the JSON."""
    broken: list[tuple[int, str]] = []
    checksums: list[int] = []
    written = 0
    with _progress(f"decoding into {folder}", len(rows.files)) as advance:
        for index, picture in enumerate(decode_all(rows.files, size)):
            if isinstance(picture, str):
                broken.append((index, picture))
            else:
                if written % _BLOCK == 0:
                    checksums.append(0)
                content = picture.tobytes()
                checksums[-1] = zlib.crc32(content, checksums[-1])
                file.write(content)
                written += 1
            advance()
    file.flush()
    file.truncate(written * size * size * 3)
    os.fsync(file.fileno())
    return {"format": FORMAT, "shape": (written, size, size, 3), "broken": broken, "checksums": checksums}


def _reserve(file: BinaryIO, need: int, folder: Path) -> None:
    """Takes the disk before the work is done: a file that is mapped while the disk fills up would end the process."""
    if shutil.disk_usage(folder).free < need + SPARE:
        raise _disk_full(folder, need)
    if need:
        os.posix_fallocate(file.fileno(), 0, need)


def _disk_full(folder: Path, need: int) -> DataError:
    free = shutil.disk_usage(folder).free
    return DataError(
        f"{folder}: the decoded pictures take {need / 1e9:.2f} GB, and {SPARE / 1e9:.2f} GB must stay free, got "
        f"{free / 1e9:.2f} GB free: make room, set data.cache to a folder on another disk, or lower data.size"
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds the folder's lock, which the system gives back when its holder ends, however that is."""
    with (folder / "lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that decodes pictures into {folder}", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _progress(what: str, total: int) -> Iterator[Any]:
    """A bar on the terminal's error stream; nothing where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


def _cached(folder: Path, key: str, content: dict[str, Any]) -> Cached:
    pictures, height, width, channels = content["shape"]
    broken = tuple((int(index), str(why)) for index, why in content["broken"])
    return Cached(_file(folder, key), (pictures, height, width, channels), broken)


def _file(folder: Path, key: str) -> Path:
    return folder / f"{key}.pictures"
