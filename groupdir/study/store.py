"""Event log of a study in SQLite. One process, the driver, appends events, and no event is ever changed.

Everything else (the table on the screen, the scheduler's rungs, the sampler's history, the Parquet files) is computed
from these events. After a crash nothing has to be restored from another place.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Self

from groupdir.errors import DataError
from groupdir.files.schema import other_schema
from groupdir.files.study_files import SCHEMA
from groupdir.study.events import KINDS, Event, Kind, without_nan

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL,
    trial INTEGER, seed INTEGER, epoch INTEGER, payload TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_row_per_epoch ON events (trial, seed, epoch) WHERE kind = 'epoch';
"""
# Codes of SQLite's errors if another machine has the database open: its log and its shared memory cannot be used.
ELSEWHERE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL}
_ENCODER = json.JSONEncoder(allow_nan=False)


class Store:
    """Event log of one study on disk. Construct it with `create` or `open`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def create(cls, path: str | Path, study: Mapping[str, Any]) -> Self:
        """Create the event log of a new study.

        Args:
            path: The file, which must not exist.
            study: `StudyConfig.to_dict()` of the study.

        Raises:
            DataError: If the file exists.
        """
        path = Path(path)
        if path.exists():
            raise DataError(f"{path}: exists already: a study is never overwritten, choose another folder")
        connection = _connect(path)
        connection.executescript(_TABLES)
        meta = {"schema": str(SCHEMA), "study": json.dumps(study, allow_nan=False)}
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        return cls(path, connection)

    @classmethod
    def open(cls, path: str | Path, *, readonly: bool = False) -> Self:
        """Open the event log of a study.

        Raises:
            DataError: If the file is missing or is not an event log, or another version wrote it.
        """
        path = Path(path)
        if not path.is_file():
            raise DataError(f"{path}: does not exist: name the folder of a study, such as results/digits")
        try:
            connection = _connect(path, readonly)
            meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
        except sqlite3.DatabaseError as error:
            raise unreadable(path, error) from error
        if meta.get("schema") != str(SCHEMA):
            connection.close()
            raise other_schema(path.parent, meta.get("schema"))
        return cls(path, connection)

    @property
    def study(self) -> dict[str, Any]:
        """Configuration of the study, as a mapping."""
        ((text,),) = self._connection.execute("SELECT value FROM meta WHERE key = 'study'").fetchall()
        study: dict[str, Any] = json.loads(text)
        return study

    def append(
        self,
        kind: Kind,
        *,
        trial: int | None = None,
        seed: int | None = None,
        epoch: int | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> Event | None:
        """Write an event. Once this returns, the event survives the death of this process.

        Returns:
            The event as a reader will see it, or None if the log has an event of this epoch already, which stays.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
        now = time.time()
        plain = without_nan(payload or {})
        cursor = self._connection.execute(  # a single statement is a transaction
            "INSERT INTO events (time, kind, trial, seed, epoch, payload) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (trial, seed, epoch) WHERE kind = 'epoch' DO NOTHING",
            (now, kind, trial, seed, epoch, _ENCODER.encode(plain)),
        )
        if not cursor.rowcount or cursor.lastrowid is None:
            return None
        return Event(cursor.lastrowid, now, kind, trial, seed, epoch, plain)

    def events(self, after: int = 0) -> Iterator[Event]:
        """Yield the events in the order of arrival.

        Args:
            after: Number of the last event to skip.

        Raises:
            DataError: If the log cannot be read, or cannot be read any more.
        """
        query = "SELECT seq, time, kind, trial, seed, epoch, payload FROM events WHERE seq > ? ORDER BY seq"
        try:
            for seq, when, kind, trial, seed, epoch, payload in self._connection.execute(query, (after,)):
                yield Event(seq, when, kind, trial, seed, epoch, self._payload(seq, kind, payload))
        except sqlite3.DatabaseError as error:
            raise unreadable(self.path, error) from error

    def changes(self) -> Iterator[Mapping[str, Any]]:
        """Yield the changes of the configuration in the order of arrival, each as new values by address.

        Raises:
            DataError: If the log cannot be read, or cannot be read any more.
        """
        query = "SELECT seq, payload FROM events WHERE kind = 'changed' ORDER BY seq"
        try:
            for seq, payload in self._connection.execute(query):
                yield self._payload(seq, "changed", payload)["changes"]
        except sqlite3.DatabaseError as error:
            raise unreadable(self.path, error) from error

    def _payload(self, seq: int, kind: str, text: str) -> dict[str, Any]:
        """Return the payload of an event."""
        try:
            payload = json.loads(text)
        except ValueError:
            payload = None
        if kind not in KINDS or not isinstance(payload, dict):
            raise DataError(f"{self.path}: event {seq} ({kind}) is broken, so the log was changed or damaged")
        return payload

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy of the log, which may be in use meanwhile."""
        with closing(sqlite3.connect(path)) as copy:
            self._connection.backup(copy)

    def close(self) -> None:
        """Close the file. SQLite merges the write-ahead log into it."""
        self._connection.close()


def unreadable(path: Path, error: sqlite3.DatabaseError) -> DataError:
    """Return the error for an event log that SQLite cannot read."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in ELSEWHERE:
        return DataError(
            f"{path}: cannot be read: {error}: while a study runs, read it on the machine of its driver, because "
            "SQLite cannot share its log over a network"
        )
    return DataError(f"{path}: is not a study, or is broken: {error}")


def _connect(path: Path, readonly: bool = False) -> sqlite3.Connection:
    """Open the database.

    In WAL mode with synchronous = NORMAL a commit survives the death of the process and takes 20 microseconds. A commit
    that waits for the disk takes a millisecond. A power cut may lose the latest events, but the remaining events are
    always a prefix of the log: if the event of a checkpoint remains, so do the events of all epochs before it.
    """
    if readonly:
        mode = "?mode=ro"
        if not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists():
            mode += "&immutable=1"  # SQLite would create a write-ahead log, and no driver has one open
        return sqlite3.connect(f"{path.absolute().as_uri()}{mode}", uri=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection
