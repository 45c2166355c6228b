"""Chain of digests over the events of an event log, so that a changed, lost or inserted event is noticed.

The digest of an event covers the event and the digest before it. The first one covers the configuration of the study.
A chain alone does not notice lost events at the end: SQLite drops a damaged end of its write-ahead log silently.
The number and the digest of the last event are therefore written to a second file, after each event.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groupdir.command_line.next_command import next_command
from groupdir.errors import DamagedFileError, FileWriteError
from groupdir.files.study_files import EVENT_HEAD
from groupdir.files.write_whole import write_error

DIGEST_BYTES = 16


@dataclass(frozen=True)
class Link:
    """End of a chain.

    Attributes:
        seq: Number of the last event, or 0 without events.
        digest: Digest of the chain up to this event.
    """

    seq: int
    digest: bytes

    def following(self, row: tuple[Any, ...]) -> Link:
        """Return the end of the chain after one more event.

        Args:
            row: `seq`, `time`, `kind`, `trial`, `seed`, `epoch` and the text of `payload`.
        """
        *fields, payload = row
        text = "\n".join([*map(repr, fields), str(payload)])
        return Link(row[0], _digest(self.digest + text.encode("utf-8", "surrogateescape")))

    def __str__(self) -> str:
        return f"{self.seq} {self.digest.hex()}"

    @classmethod
    def of(cls, text: str) -> Link:
        """Return the link that `str` has written.

        Raises:
            ValueError: If the text is something else.
        """
        seq, digest = text.split(" ")
        return cls(int(seq), bytes.fromhex(digest))


def first_link(meta: Mapping[str, str]) -> Link:
    """Return the start of a chain, which covers the schema and the configuration of the study."""
    return Link(0, _digest(f"{meta['schema']}\n{meta['study']}".encode()))


class Head:
    """File with the end of the chain of an event log. It is written in place, which takes microseconds.

    The file of a log has a fixed length. A killed driver leaves it at most one event behind the log.

    Args:
        log: The event log.
    """

    def __init__(self, log: Path) -> None:
        self.path = log.with_name(EVENT_HEAD)
        self._descriptor: int | None = None

    def write(self, link: Link) -> None:
        """Write the end of the chain.

        Raises:
            FileWriteError: If the file cannot be written.
        """
        text = f"{link.seq:020d} {link.digest.hex()}"
        content = f"{text} {_digest(text.encode()).hex()}\n".encode()
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            written = os.pwrite(self._descriptor, content, 0)
        except OSError as error:
            raise write_error(self.path, error) from error
        if written != len(content):
            raise FileWriteError(f"{self.path}: cannot be written: the disk is full", disk_full=True)

    def read(self) -> Link | None:
        """Return the end of the chain, or None if there is no file.

        Raises:
            DamagedFileError: If the file does not match its checksum.
        """
        try:
            text, _, check = self.path.read_text(encoding="utf-8").removesuffix("\n").rpartition(" ")
            if check == _digest(text.encode()).hex():
                return Link.of(text)
        except FileNotFoundError:
            return None
        except ValueError:
            pass
        remedy = f"`{next_command('repair', self.path.parent)}` writes it again"
        raise DamagedFileError(f"{self.path}: is damaged: {remedy}")

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()
