"""A study's event log in SQLite: events are only ever appended, by one writer, the driver.

Everything else (the table on the screen, the scheduler's rungs, the sampler's history, the Parquet files) is a view of
these events, so that a crash loses nothing that would have to be restored from another place.
"""

from __future__ import annotations

import json
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
# What SQLite says where it cannot use the log and its memory that another machine has.
ELSEWHERE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL}
_ENCODER = json.JSONEncoder(allow_nan=False)


class Store:
    """The events of one study on disk. Use `create` or `open`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection

    @classmethod
    def create(cls, path: str | Path, study: Mapping[str, Any]) -> Self:
        """Makes the file.

        Args:
            path: Where; nothing may be there.
            study: `StudyConfig.to_dict()`.

        Raises:
            DataError: Something is there already.
        """
        path = Path(path)
        if path.exists():
            raise DataError(f"{path}: must not exist, but does: a study is never written over")
        connection = _connect(path)
        connection.executescript(_TABLES)
        meta = {"schema": str(SCHEMA), "study": json.dumps(study, allow_nan=False)}
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        return cls(path, connection)

    @classmethod
    def open(cls, path: str | Path, *, readonly: bool = False) -> Self:
        """Open the event log of a study.

        Raises:
            DataError: The file is missing or is no event log, or another version wrote it.
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
        """The study's configuration, as a mapping."""
        ((text,),) = self._connection.execute("SELECT value FROM meta WHERE key = 'study'").fetchall()
        found: dict[str, Any] = json.loads(text)
        return found

    def append(
        self,
        kind: Kind,
        *,
        trial: int | None = None,
        seed: int | None = None,
        epoch: int | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> Event | None:
        """Writes an event; when this returns, no death of this process can lose it.

        Returns:
            The event as a reader will see it, or None for an epoch that is there already: the first write wins.
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
        now = time.time()
        plain = without_nan(payload or {})
        cursor = self._connection.execute(  # on its own it is a transaction
            "INSERT INTO events (time, kind, trial, seed, epoch, payload) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (trial, seed, epoch) WHERE kind = 'epoch' DO NOTHING",
            (now, kind, trial, seed, epoch, _ENCODER.encode(plain)),
        )
        if not cursor.rowcount or cursor.lastrowid is None:
            return None
        return Event(cursor.lastrowid, now, kind, trial, seed, epoch, plain)

    def events(self, after: int = 0) -> Iterator[Event]:
        """The events after a place in the order of arrival.

        Raises:
            DataError: They cannot be read (any more).
        """
        query = "SELECT seq, time, kind, trial, seed, epoch, payload FROM events WHERE seq > ? ORDER BY seq"
        try:
            for seq, when, kind, trial, seed, epoch, payload in self._connection.execute(query, (after,)):
                yield Event(seq, when, kind, trial, seed, epoch, json.loads(payload))
        except sqlite3.DatabaseError as error:
            raise unreadable(self.path, error) from error

    def copy_to(self, path: Path) -> None:
        """Writes a consistent copy, while this one is in use."""
        with closing(sqlite3.connect(path)) as copy:
            self._connection.backup(copy)

    def close(self) -> None:
        """Closes the file, and folds its write-ahead log into it."""
        self._connection.close()


def unreadable(path: Path, error: sqlite3.DatabaseError) -> DataError:
    """What to say where a study cannot be read."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in ELSEWHERE:
        return DataError(
            f"{path}: cannot be read: {error}: a study must be read on the machine of its driver while that runs; "
            "SQLite's log cannot be shared over a network"
        )
    return DataError(f"{path}: is no study, or is broken: {error}")


def _connect(path: Path, readonly: bool = False) -> sqlite3.Connection:
    """Opens the database.

    NORMAL in WAL mode: a commit survives the process, and costs 20 microseconds where one that waits for the disk costs
    a millisecond. A power cut may lose the last moments, but only from the end: what is there is a true prefix, and a
    checkpoint whose event is there has all its epochs before it.
    """
    if readonly:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection
