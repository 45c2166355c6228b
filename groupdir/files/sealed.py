"""Checksums of files that are read back: a file is sealed when it is written, and verified when it is read.

Each kind of file carries its SHA-256 in the place that its format allows:

- a binary file: in a trailer after its content, which torch ignores;
- a Parquet file: in its footer, computed over the file with zeros in place of the digits;
- JSON: in the last entry of the mapping;
- YAML and other text with comments: in a comment on the last line.

Each kind has a second sign that it is sealed, such as the number of its format. A file with a damaged checksum is
therefore not taken for a file of an older version, which has none. The event log has a chain of digests; see
`groupdir.study.chain`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from groupdir.errors import DamagedFileError
from groupdir.files.write_whole import whole_file

CHECKSUM = "sha256"
"""Entry of a sealed JSON file that holds its checksum."""

PARQUET_KEY = "groupdir.sha256"
"""Key of the checksum in the footer of a Parquet file."""

DIGITS = 64
UNSET = "0" * DIGITS
"""Value of the checksum in a Parquet file while its checksum is computed."""

_TRAILER = re.compile(rb"\ngroupdir-sha256:([0-9a-f]{64})\n\Z")
_TRAILER_BYTES = len("\ngroupdir-sha256:\n") + DIGITS
_COMMENT = re.compile(r"# sha256 of the lines above: ([0-9a-f]{64})\n\Z")
_PARQUET_SEAL = re.compile(re.escape(PARQUET_KEY).encode() + rb"\x18\x40([0-9a-f]{64})")
_CHUNK = 1 << 20


class SealedWriter:
    """Binary file that computes the checksum of what is written to it.

    Args:
        file: File to write to.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()

    def write(self, content: bytes) -> int:
        """Write bytes and return their number."""
        self._digest.update(content)
        return self._file.write(content)

    def flush(self) -> None:
        """Flush the file."""
        self._file.flush()

    def seal(self) -> None:
        """Write the trailer with the checksum."""
        self._file.write(f"\ngroupdir-sha256:{self._digest.hexdigest()}\n".encode())


@contextmanager
def sealed_file(path: str | Path, *, durable: bool = False) -> Iterator[SealedWriter]:
    """Yield a writer. At the end of the context its content becomes the file, whole and with a trailer.

    Args:
        path: The file. Its folder must exist.
        durable: Whether the file must survive a power cut afterwards.

    Raises:
        FileWriteError: If the file cannot be written.
    """
    with whole_file(path, durable=durable) as partial, partial.open("wb") as file:
        writer = SealedWriter(file)
        yield writer
        writer.seal()


def verify_file(path: str | Path) -> bool:
    """Verify the trailer of a file.

    Returns:
        True if the content is as it was written, False if the file has no trailer.

    Raises:
        DamagedFileError: If the content differs from what was written.
        OSError: If the file cannot be read.
    """
    with Path(path).open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TRAILER_BYTES))
        match = _TRAILER.search(file.read())
        if match is None:
            return False
        file.seek(0)
        digest, remaining = hashlib.sha256(), size - _TRAILER_BYTES
        while remaining > 0 and (content := file.read(min(_CHUNK, remaining))):
            digest.update(content)
            remaining -= len(content)
    if digest.hexdigest().encode() != match[1]:
        raise damaged(path)
    return True


def seal_parquet(path: Path) -> None:
    """Write the checksum into the footer of a Parquet file that was written with `UNSET` under `PARQUET_KEY`."""
    content = path.read_bytes()
    seals = [*_PARQUET_SEAL.finditer(content)]
    start = seals[-1].start(1)
    digest = hashlib.sha256(content).hexdigest()
    with path.open("r+b") as file:
        file.seek(start)
        file.write(digest.encode())


def verify_parquet(path: str | Path, content: bytes) -> bool:
    """Verify the checksum of a Parquet file, as `verify_file`.

    Args:
        path: The file, for the message.
        content: Content of the file.

    Raises:
        DamagedFileError: If the content differs from what was written.
    """
    seals = [*_PARQUET_SEAL.finditer(content)]
    if not seals:
        return False
    seal, digest = seals[-1], hashlib.sha256()
    view = memoryview(content)
    digest.update(view[: seal.start(1)])
    digest.update(UNSET.encode())
    digest.update(view[seal.end(1) :])
    if digest.hexdigest().encode() != seal[1]:
        raise damaged(path)
    return True


def seal_mapping(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON mapping with its checksum.

    >>> verify_mapping("a.json", seal_mapping({"epoch": 3}), {"epoch"})
    {'epoch': 3}
    """
    return {**content, CHECKSUM: _mapping_digest(content)}


def verify_mapping(path: str | Path, content: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return a JSON mapping without its checksum. A mapping of an older version has none and is returned as it is.

    Args:
        path: The file, for the message.
        content: Content of the file.
        names: All entries but the checksum. An unknown entry may be a damaged name of the checksum.

    Raises:
        DamagedFileError: If the content differs from what was written.
    """
    plain = {name: value for name, value in content.items() if name != CHECKSUM}
    if plain.keys() - set(names) or (CHECKSUM in content and content[CHECKSUM] != _mapping_digest(plain)):
        raise damaged(path)
    return plain


def seal_text(text: str) -> str:
    r"""Return a text with its checksum in a comment on the last line.

    >>> seal_text("name: digits").split(": ")[:2]
    ['name', 'digits\n# sha256 of the lines above']
    """
    body = text if text.endswith("\n") else text + "\n"
    return f"{body}# sha256 of the lines above: {hashlib.sha256(body.encode()).hexdigest()}\n"


def text_is_intact(text: str) -> bool:
    """Return whether a text matches the checksum on its last line, or has none."""
    match = _COMMENT.search(text)
    return match is None or hashlib.sha256(text[: match.start()].encode()).hexdigest() == match[1]


def read_sealed_text(path: Path) -> str:
    """Return the content of a text file that only the program writes. It may have no checksum.

    Raises:
        DamagedFileError: If the text does not match its checksum, or is not UTF-8.
        OSError: If the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise damaged(path, "it is not UTF-8 text", "restore it from a copy, or write it again") from error
    if not text_is_intact(text):
        remedy = "write it again; if the change is meant, delete its last line, which holds the checksum"
        raise damaged(path, remedy=remedy)
    return text


def damaged(
    path: str | Path, what: str = "its content does not match its checksum", remedy: str = ""
) -> DamagedFileError:
    """Return the error for a file whose content is not what was written.

    Args:
        path: The file.
        what: What is wrong with the content.
        remedy: What to do; by default a text that fits every file.
    """
    remedy = remedy or "restore the file from a copy, or run `groupdir repair` on the study's folder"
    return DamagedFileError(f"{path}: is damaged: {what}, so it was changed after it was written: {remedy}")


def quarantine(path: str | Path) -> Path:
    """Rename a damaged file or folder, so that it is neither used nor lost, and return its new path."""
    source = Path(path)
    number = 1
    while (target := source.with_name(f"{source.name}.damaged-{number}")).exists():
        number += 1
    return source.rename(target)


def _mapping_digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
