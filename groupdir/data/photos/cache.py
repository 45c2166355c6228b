"""Cache of decoded pictures: a file of bytes per split, written once per node and memory-mapped by every process.

A cache consists of two files in one folder. `<key>.pictures` holds only the pictures, `(N, size, size, 3)` bytes.
Channels are last for three reasons: PIL returns them so, the lines of a crop are contiguous, and convolutions are
fastest with this memory format. `<key>.json` describes the first file: its shape, the skipped rows of the manifest with
reasons, what decoding ignored, and a checksum of every block of 64 pictures. It carries a checksum of itself. It is
written last, so a process that is killed while it builds a cache leaves no file that looks complete.

The key is a digest of the rows (their paths relative to the manifest, sizes and modification times), the picture size,
the options of decoding, and `FORMAT`. A changed picture therefore leads to another cache. Old caches are never removed:
delete the folder to free the disk.
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
import numpy.typing as npt

from groupdir.command_line.progress import progress_bar
from groupdir.data.decode import AS_PUBLISHED, Decoding, decode_all
from groupdir.data.manifest import Rows
from groupdir.errors import DataError, FileWriteError
from groupdir.files.write_whole import discard_partials, whole_file, write_whole

FORMAT = 2
SPARE = 2**26
"""Bytes of the disk that stay free: 64 MiB."""

_BLOCK = 64  # pictures per checksum
_WHOLE, _SAMPLE = 2**28, 16  # every block of a file up to so many bytes is checked at opening; else so many blocks


@dataclass(frozen=True)
class Cached:
    """Finished cache. A pickled instance does not contain the pictures.

    Attributes:
        path: File of the pictures.
        shape: Shape `(N, size, size, 3)` of the pictures.
        broken: Skipped rows, each as the index among all rows and the reason.
        remarks: What decoding ignored, each as the remark, the number of pictures, and the index of the first of them
            among all rows.
    """

    path: Path
    shape: tuple[int, int, int, int]
    broken: tuple[tuple[int, str], ...] = ()
    remarks: tuple[tuple[str, int, int], ...] = ()

    @property
    def nbytes(self) -> int:
        """Size of the file in bytes."""
        return int(np.prod(self.shape))

    @property
    def rows(self) -> int:
        """Number of all rows, with and without a picture."""
        return self.shape[0] + len(self.broken)

    @property
    def kept(self) -> npt.NDArray[np.int64]:
        """Indices (N,) of the rows of the pictures among all rows."""
        return np.delete(np.arange(self.rows), [index for index, _ in self.broken])

    def is_there(self) -> bool:
        """Return whether this machine has the file in the right size."""
        return self.path.is_file() and self.path.stat().st_size == self.nbytes

    def pictures(self) -> np.memmap:
        """Return the pictures, mapped read-only. All processes share the parts that were read, in the page cache."""
        return np.memmap(self.path, np.uint8, "r", shape=self.shape)


def open_or_build(rows: Rows, size: int, folder: Path, decoding: Decoding = AS_PUBLISHED) -> Cached:
    """Return the cache of some rows. The first process builds it, and other processes wait for it and then open it.

    Opening checks the size of the file and its checksums: all of them up to 256 MiB, and those of 16 evenly spread
    blocks of larger files. After a build, the whole file is read back and checked. A broken file causes a warning and
    is built again.

    Args:
        rows: Pictures to decode.
        size: Height and width of the resized pictures, in pixels.
        folder: Folder of the caches, which is created if it does not exist.
        decoding: Options of decoding.

    Raises:
        DataError: If the folder cannot be written to, or its disk is full.
    """
    cached = _existing(folder, key := cache_key(rows, size, decoding))
    if cached is not None:
        return cached
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            return _existing(folder, key) or _build(rows, size, folder, key, decoding)
    except OSError as error:
        raise DataError(
            f"{folder}: pictures cannot be cached in this folder: {error}: set data.cache to a folder"
        ) from error


def cache_key(rows: Rows, size: int, decoding: Decoding = AS_PUBLISHED) -> str:
    """Return the key of a cache, 32 hexadecimal digits. It stays the same if the data folder moves as a whole."""
    digest = hashlib.sha256(f"{FORMAT} {size} {decoding}".encode())
    parent = str(rows.manifest.parent) + os.sep
    for file in rows.files:
        try:
            status = file.stat()
            version = f"{status.st_size} {status.st_mtime_ns}"
        except OSError:
            version = "none"
        digest.update(b"\0" + os.fsencode(str(file).removeprefix(parent)) + b"\0" + version.encode())
    return digest.hexdigest()[:32]


def _existing(folder: Path, key: str) -> Cached | None:
    """Return the cache of a key, or None if it does not exist. Warn and return None if it is broken."""
    sidecar = folder / f"{key}.json"
    try:
        content = _unsealed(sidecar.read_bytes())
        cached = _cached(folder, key, content)
        wrong = _wrong(cached, content["checksums"], everything=cached.nbytes <= _WHOLE)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        wrong = f"{sidecar.name} cannot be read: {error}"
    else:
        if wrong is None:
            return cached
    warnings.warn(f"{_file(folder, key)}: is broken ({wrong}); it is built again", stacklevel=2)
    return None


def _wrong(cached: Cached, checksums: list[int], everything: bool) -> str | None:
    """Return the mistake of a file, or None. Read every block, or only a sample of them."""
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


def _sealed(content: dict[str, Any]) -> str:
    """Return a description as JSON, with a checksum of itself."""
    return json.dumps({"checksum": zlib.crc32(json.dumps(content).encode()), **content})


def _unsealed(sealed: bytes) -> dict[str, Any]:
    """Return the description that `_sealed` wrote.

    Raises:
        ValueError: If the checksum differs.
    """
    content: dict[str, Any] = json.loads(sealed)
    if content.pop("checksum") != zlib.crc32(json.dumps(content).encode()):
        raise ValueError("its checksum differs")
    return content


def _build(rows: Rows, size: int, folder: Path, key: str, decoding: Decoding) -> Cached:
    """Decode all rows into a file and check it. The caller holds the lock."""
    target, sidecar = _file(folder, key), folder / f"{key}.json"
    discard_partials(target)
    discard_partials(sidecar)
    need = len(rows.files) * size * size * 3
    try:
        with whole_file(target) as partial, partial.open("wb") as file:
            _reserve(file, need, folder)
            content = _write(rows, size, file, folder, decoding)
        cached = _cached(folder, key, content)
        if (wrong := _wrong(cached, content["checksums"], everything=True)) is not None:
            raise DataError(
                f"{target}: was written, but reads back differently ({wrong}): check the disk, or set data.cache to a "
                "folder on another disk"
            )
        write_whole(sidecar, _sealed(content))
    except FileWriteError as error:
        target.unlink(missing_ok=True)
        raise (_disk_full(folder, need) if error.disk_full else error) from error
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return cached


def _write(rows: Rows, size: int, file: BinaryIO, folder: Path, decoding: Decoding) -> dict[str, Any]:
    """Write the pictures that can be decoded, in order, and return the content of the JSON file."""
    broken: list[tuple[int, str]] = []
    remarks: dict[str, tuple[int, int]] = {}
    checksums: list[int] = []
    written = 0
    with progress_bar(f"decoding into {folder}", len(rows.files)) as advance:
        for index, picture in enumerate(decode_all(rows.files, size, decoding)):
            if isinstance(picture, str):
                broken.append((index, picture))
            else:
                if written % _BLOCK == 0:
                    checksums.append(0)
                content = picture.pixels.tobytes()
                checksums[-1] = zlib.crc32(content, checksums[-1])
                file.write(content)
                written += 1
                for remark in picture.remarks:
                    count, first = remarks.get(remark, (0, index))
                    remarks[remark] = count + 1, first
            advance()
    file.flush()
    file.truncate(written * size * size * 3)
    os.fsync(file.fileno())
    shape, listed = (written, size, size, 3), [(remark, *counts) for remark, counts in remarks.items()]
    return {"format": FORMAT, "shape": shape, "broken": broken, "remarks": listed, "checksums": checksums}


def _reserve(file: BinaryIO, need: int, folder: Path) -> None:
    """Reserve the disk space before decoding. If a disk fills up under a mapped file, the process is killed."""
    if shutil.disk_usage(folder).free < need + SPARE:
        raise _disk_full(folder, need)
    if need:
        os.posix_fallocate(file.fileno(), 0, need)


def _disk_full(folder: Path, need: int) -> DataError:
    free = shutil.disk_usage(folder).free
    return DataError(
        f"{folder}: the decoded pictures take {need / 1e9:.2f} GB, and {SPARE / 1e9:.2f} GB must stay free, got "
        f"{free / 1e9:.2f} GB free: delete files, set data.cache to a folder on another disk, or lower data.size"
    )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder. The system releases it if the process ends for any reason."""
    with (folder / "lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that decodes pictures into {folder}", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _cached(folder: Path, key: str, content: dict[str, Any]) -> Cached:
    pictures, height, width, channels = content["shape"]
    broken = tuple((int(index), str(why)) for index, why in content["broken"])
    remarks = tuple((str(remark), int(count), int(first)) for remark, count, first in content["remarks"])
    return Cached(_file(folder, key), (pictures, height, width, channels), broken, remarks)


def _file(folder: Path, key: str) -> Path:
    return folder / f"{key}.pictures"
