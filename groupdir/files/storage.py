"""Storage that all nodes can reach: a shared file system, or an object store such as S3."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from groupdir.errors import ConfigError
from groupdir.files.abandoned import temporary_folder
from groupdir.files.write_whole import whole_file
from groupdir.names import check_place, without_keys

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


@dataclass(frozen=True)
class Place:
    """Path or URI of a folder or a file, which need not exist. Construct it with `Place.at`.

    Attributes:
        base: The absolute path, or the URI up to the question mark.
        query: Options of the URI with the question mark, such as `?region=eu-west-1`, or empty.
    """

    base: str
    query: str = ""

    @classmethod
    def at(cls, text: str | Path) -> Place:
        """Return the place that a path or a URI names.

        Raises:
            ConfigError: If the URI contains keys or unprintable characters.

        >>> Place.at("s3://bucket/a/?region=eu-west-1") / "b"
        Place(base='s3://bucket/a/b', query='?region=eu-west-1')
        """
        if str(text).startswith("file://"):
            return cls(unquote(urlsplit(str(text)).path.rstrip("/")))
        if not is_uri(text):
            return cls(str(Path(text).expanduser().absolute()))
        try:
            check_place(str(text))
        except ValueError as error:
            raise ConfigError(f"{without_keys(text)!r}: {error}") from None
        base, mark, query = str(text).partition("?")
        return cls(base.rstrip("/"), mark + query)

    @property
    def path(self) -> Path | None:
        """Path on this machine, or None for a URI."""
        return None if is_uri(self.base) else Path(self.base)

    @property
    def name(self) -> str:
        """Last part of the path.

        >>> Place.at("s3://bucket/groupdir/agedb/?region=eu-west-1").name
        'agedb'
        """
        return self.base.rpartition("/")[2]

    def __truediv__(self, name: str) -> Place:
        return Place(f"{self.base}/{name}", self.query)

    def __str__(self) -> str:
        return self.base + self.query

    def names(self) -> list[str]:
        """Return the sorted names of the files and folders in this folder, or none if it does not exist."""
        from pyarrow import fs

        files, root = self._open()
        infos = files.get_file_info(fs.FileSelector(root, allow_not_found=True))
        return sorted(info.base_name for info in infos)

    def is_file(self) -> bool:
        """Return whether this is an existing file, not a folder."""
        files, root = self._open()
        return bool(files.get_file_info(root).is_file)

    def sizes(self) -> dict[str, int]:
        """Return name -> bytes for each file and folder in this folder. A folder counts all files at any depth."""
        from pyarrow import fs

        files, root = self._open()
        sizes: dict[str, int] = {}
        for info in files.get_file_info(fs.FileSelector(root, allow_not_found=True, recursive=True)):
            if info.is_file:
                name = info.path[len(root) :].lstrip("/").partition("/")[0]
                sizes[name] = sizes.get(name, 0) + info.size
        return sizes

    def write(self, content: bytes) -> None:
        """Write a file, and create the folders above it. In an object store the file appears whole or not at all."""
        files, root = self._open()
        files.create_dir(root.rpartition("/")[0], recursive=True)
        with files.open_output_stream(root) as stream:
            stream.write(content)

    def read(self) -> bytes:
        """Return the content of a file.

        Raises:
            FileNotFoundError: If the file does not exist.
        """
        files, root = self._open()
        with files.open_input_stream(root) as stream:
            return bytes(stream.read())

    def fetch(self, target: Path) -> None:
        """Copy the content of this folder into a folder on this machine, which is created."""
        from pyarrow import fs

        files, root = self._open()
        target.mkdir(parents=True, exist_ok=True)
        fs.copy_files(root, str(target), source_filesystem=files, destination_filesystem=fs.LocalFileSystem())

    def put(self, source: Path | Place) -> None:
        """Copy a file or a folder to this place. Within one object store no byte passes through this machine."""
        from pyarrow import fs

        files, root = self._open()
        origin, path = (fs.LocalFileSystem(), str(source)) if isinstance(source, Path) else source._open()
        folder = root if origin.get_file_info(path).type == fs.FileType.Directory else root.rpartition("/")[0]
        files.create_dir(folder, recursive=True)
        fs.copy_files(path, root, source_filesystem=origin, destination_filesystem=files, use_threads=False)

    def put_whole(self, source: Path) -> None:
        """Copy a file to this place. A reader sees the old file or the new one, never a part."""
        if self.path is None:
            self.put(source)
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(self.path) as partial:
            shutil.copyfile(source, partial)

    def remove(self) -> None:
        """Delete this file, or this folder with its content. Do nothing if it does not exist."""
        from pyarrow import fs

        files, root = self._open()
        kind = files.get_file_info(root).type
        with contextlib.suppress(FileNotFoundError):  # another process has deleted it meanwhile
            if kind == fs.FileType.Directory:
                files.delete_dir(root)
            elif kind == fs.FileType.File:
                files.delete_file(root)

    def why_lost(self) -> str:
        """Return why this process does not see this file, or an empty text if it does.

        Every node calls this for the marker of a study's storage. A folder that is not mounted looks like an empty one.
        """
        try:
            return "" if self.is_file() else f"{self} is not there"
        except (OSError, ConfigError) as error:
            return str(error).splitlines()[0]

    def why_not_writable(self, probe: str) -> str:
        """Return why this process cannot write beside this file, which it must see; an empty text if it can.

        Args:
            probe: Name of a file that is written beside this one and removed. Two processes need two names.
        """
        if lost := self.why_lost():
            return lost
        test = Place(self.base.rpartition("/")[0], self.query) / probe
        try:
            test.write(b"")
            test.remove()
        except (OSError, ConfigError) as error:
            return str(error).splitlines()[0]
        return ""

    def _open(self) -> tuple[FileSystem, str]:
        """Return the file system and the path of this place in it."""
        from pyarrow import fs

        if not is_uri(self.base):
            return fs.LocalFileSystem(), self.base
        scheme, _, rest = self.base.partition("://")
        bucket, _, inside = rest.partition("/")
        files, root = _file_system(f"{scheme}://{bucket}{self.query}", _server())
        return files, f"{root.rstrip('/')}/{inside}".rstrip("/")


def is_uri(text: str | Path) -> bool:
    """Return whether a text is a URI, which names its scheme.

    >>> is_uri("s3://bucket/folder"), is_uri("/mnt/shared"), is_uri(Path("results"))
    (True, False, False)
    """
    return "://" in str(text)


@contextlib.contextmanager
def local_copy(folder: str) -> Iterator[Path]:
    """Yield a path on this machine for a folder: the folder itself, or for a URI a temporary copy of its content."""
    place = Place.at(folder)
    if place.path is not None:
        yield place.path
        return
    with temporary_folder("groupdir-") as temporary:
        place.fetch(temporary)
        yield temporary


def _server() -> tuple[str | None, ...]:
    """Return the environment's settings that identify the S3 server, for which a connection is cached."""
    return tuple(map(os.environ.get, ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_PROFILE")))


@lru_cache(maxsize=8)
def _file_system(uri: str, server: tuple[str | None, ...]) -> tuple[FileSystem, str]:
    """Return the file system of a bucket on a server, and the bucket's path in it.

    Args:
        uri: URI of the bucket, with options.
        server: Settings of the server, as part of the key of the cache.

    Raises:
        ConfigError: If pyarrow does not know the scheme or cannot reach the storage.
    """
    from pyarrow import ArrowException, fs

    try:
        opened: tuple[FileSystem, str] = fs.FileSystem.from_uri(uri)
    except (ArrowException, OSError) as error:
        raise ConfigError(
            f"{uri}: must be a storage that can be reached, such as s3://bucket: {str(error).splitlines()[0]}"
        ) from error
    return opened
