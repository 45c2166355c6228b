"""Folders that all nodes can reach: on a file system they share, or in an object store such as S3."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from groupdir.errors import ConfigError
from groupdir.files.write_whole import whole_file

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


@dataclass(frozen=True)
class Place:
    """A folder, by an absolute path or by a URI; it need not be there. Use `Place.at`.

    Attributes:
        base: Its path, or its URI up to the question mark.
        query: Options of the URI with the question mark, such as `?region=eu-west-1`; empty where it has none.
    """

    base: str
    query: str = ""

    @classmethod
    def at(cls, text: str | Path) -> Place:
        """The folder that a person named.

        >>> Place.at("s3://bucket/a/?region=eu-west-1") / "b"
        Place(base='s3://bucket/a/b', query='?region=eu-west-1')
        """
        if str(text).startswith("file://"):
            return cls(unquote(urlsplit(str(text)).path.rstrip("/")))
        if not is_uri(text):
            return cls(str(Path(text).expanduser().absolute()))
        base, mark, query = str(text).partition("?")
        return cls(base.rstrip("/"), mark + query)

    @property
    def path(self) -> Path | None:
        """As a path of this machine; None for a URI."""
        return None if is_uri(self.base) else Path(self.base)

    @property
    def name(self) -> str:
        """Its last part.

        >>> Place.at("s3://bucket/groupdir/agedb/?region=eu-west-1").name
        'agedb'
        """
        return self.base.rpartition("/")[2]

    def __truediv__(self, name: str) -> Place:
        return Place(f"{self.base}/{name}", self.query)

    def __str__(self) -> str:
        return self.base + self.query

    def names(self) -> list[str]:
        """What is in it, sorted; nothing where it is not there."""
        from pyarrow import fs

        files, root = self._open()
        found = files.get_file_info(fs.FileSelector(root, allow_not_found=True))
        return sorted(info.base_name for info in found)

    def is_file(self) -> bool:
        """Whether it is a file, not a folder."""
        files, root = self._open()
        return bool(files.get_file_info(root).is_file)

    def sizes(self) -> dict[str, int]:
        """What is in it -> bytes of all files in that, at any depth; nothing where it is not there."""
        from pyarrow import fs

        files, root = self._open()
        found: dict[str, int] = {}
        for info in files.get_file_info(fs.FileSelector(root, allow_not_found=True, recursive=True)):
            if info.is_file:
                name = info.path[len(root) :].lstrip("/").partition("/")[0]
                found[name] = found.get(name, 0) + info.size
        return found

    def write(self, content: bytes) -> None:
        """Makes it a file with this content, whole or not at all in an object store, and the folders above it."""
        files, root = self._open()
        files.create_dir(root.rpartition("/")[0], recursive=True)
        with files.open_output_stream(root) as stream:
            stream.write(content)

    def read(self) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: There is none.
        """
        files, root = self._open()
        with files.open_input_stream(root) as stream:
            return bytes(stream.read())

    def fetch(self, target: Path) -> None:
        """Copies all that is in it into a folder of this machine."""
        from pyarrow import fs

        files, root = self._open()
        target.mkdir(parents=True, exist_ok=True)
        fs.copy_files(root, str(target), source_filesystem=files, destination_filesystem=fs.LocalFileSystem())

    def put(self, source: Path | Place) -> None:
        """Makes it a copy of a file or a folder; an object store copies its own by itself."""
        from pyarrow import fs

        files, root = self._open()
        theirs, there = (fs.LocalFileSystem(), str(source)) if isinstance(source, Path) else source._open()
        folder = root if theirs.get_file_info(there).type == fs.FileType.Directory else root.rpartition("/")[0]
        files.create_dir(folder, recursive=True)
        fs.copy_files(there, root, source_filesystem=theirs, destination_filesystem=files, use_threads=False)

    def put_whole(self, source: Path) -> None:
        """Make it a copy of a file. A reader sees the old file or the new one, never a part."""
        if self.path is None:
            self.put(source)
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(self.path) as partial:
            shutil.copyfile(source, partial)

    def remove(self) -> None:
        """Deletes it, a file or a folder with all that is in it; nothing happens where it is not there."""
        from pyarrow import fs

        files, root = self._open()
        found = files.get_file_info(root).type
        with contextlib.suppress(FileNotFoundError):  # another was faster
            if found == fs.FileType.Directory:
                files.delete_dir(root)
            elif found == fs.FileType.File:
                files.delete_file(root)

    def _open(self) -> tuple[FileSystem, str]:
        """The file system, and where in it this is."""
        from pyarrow import fs

        if not is_uri(self.base):
            return fs.LocalFileSystem(), self.base
        scheme, _, rest = self.base.partition("://")
        bucket, _, inside = rest.partition("/")
        files, root = _file_system(f"{scheme}://{bucket}{self.query}", _server())
        return files, f"{root.rstrip('/')}/{inside}".rstrip("/")


def is_uri(text: str | Path) -> bool:
    """Whether a text names its scheme, such as `s3://bucket/folder`.

    >>> is_uri("s3://bucket/folder"), is_uri("/mnt/shared"), is_uri(Path("results"))
    (True, False, False)
    """
    return "://" in str(text)


@contextlib.contextmanager
def local_copy(folder: str) -> Iterator[Path]:
    """A folder as a path of this machine while the context lasts: itself, or a copy of what a URI holds."""
    place = Place.at(folder)
    if place.path is not None:
        yield place.path
        return
    with tempfile.TemporaryDirectory(prefix="groupdir-") as temporary:
        place.fetch(Path(temporary))
        yield Path(temporary)


def _server() -> tuple[str | None, ...]:
    """What the environment says of whose S3 it is; a connection holds for that one alone."""
    return tuple(map(os.environ.get, ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_PROFILE")))


@lru_cache(maxsize=8)
def _file_system(uri: str, server: tuple[str | None, ...]) -> tuple[FileSystem, str]:
    """A connection for all places of a bucket on a server.

    Raises:
        ConfigError: It names no storage that pyarrow knows.
    """
    from pyarrow import ArrowException, fs

    try:
        found: tuple[FileSystem, str] = fs.FileSystem.from_uri(uri)
    except (ArrowException, OSError) as error:
        raise ConfigError(
            f"{uri}: must be a storage that can be reached, such as s3://bucket: {str(error).splitlines()[0]}"
        ) from error
    return found
