"""Event log of a study in SQLite. One process, the driver, appends events, and no event is ever changed.

Everything else (the table on the screen, the scheduler's rungs, the sampler's history, the Parquet files) is computed
from these events. After a crash nothing has to be restored from another place.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Self

from groupdir.errors import DataError
from groupdir.files.schema import other_schema
from groupdir.files.study_files import SCHEMA
from groupdir.steady import steady_time
from groupdir.study.chain import Head, Link, first_link
from groupdir.study.connection import close, connect, damaged_log, unreadable, unwritable
from groupdir.study.events import KINDS, Event, Kind, without_nan

_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL,
    trial INTEGER, seed INTEGER, epoch INTEGER, payload TEXT NOT NULL, digest BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_row_per_epoch ON events (trial, seed, epoch) WHERE kind = 'epoch';
"""
FIELDS = ("seq", "time", "kind", "trial", "seed", "epoch", "payload")
"""Columns of an event, which its digest covers."""
META = {"schema", "study", "start", "head"}
"""Keys of the table `meta`: the version, the configuration, and start and end of the chain; see `chain`."""
_ENCODER = json.JSONEncoder(allow_nan=False)


class Store:
    """Event log of one study on disk. Construct it with `create` or `open`.

    Attributes:
        path: The file.
        sealed: Whether the log has digests. Those of older versions have none until a driver opens them.
        upgraded: Whether digests were added when this process opened the log.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, meta: Mapping[str, str], *, sealed: bool = True
    ) -> None:
        self.path = path
        self._meta = meta
        self.sealed = sealed
        self.upgraded = False
        self._connection = connection
        self._head = Head(path)
        self._end: Link | None = None  # of the log of a writer
        self._verified: Link | None = None

    @classmethod
    def create(cls, path: str | Path, study: Mapping[str, Any]) -> Self:
        """Create the event log of a new study.

        Args:
            path: The file, which must not exist.
            study: `StudyConfig.to_dict()` of the study.

        Raises:
            DataError: If the file exists.
            FileWriteError: If the file cannot be written.
        """
        path = Path(path)
        if path.exists():
            raise DataError(f"{path}: exists already: a study is never overwritten, choose another folder")
        meta = {"schema": str(SCHEMA), "study": json.dumps(study, allow_nan=False)}
        start = first_link(meta)
        try:
            connection = connect(path)
            connection.executescript(_TABLES)
            connection.executemany("INSERT INTO meta VALUES (?, ?)", {**meta, "start": str(start)}.items())
        except sqlite3.DatabaseError as error:
            raise unwritable(path, error) from error
        store = cls(path, connection, meta)
        store._head.write(start)
        store._end = start
        return store

    @classmethod
    def open(cls, path: str | Path, *, readonly: bool = False) -> Self:
        """Open the event log of a study. A writer adds the digests to a log of an older version.

        Raises:
            DataError: If the file is missing or is not an event log, or another version wrote it.
            DamagedFileError: If the configuration in it differs from what was written.
        """
        path = Path(path)
        if not path.is_file():
            raise DataError(f"{path}: does not exist: name the folder of a study, such as results/digits")
        connection = None
        try:
            connection = connect(path, readonly)
            meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
            columns = tuple(row[1] for row in connection.execute("PRAGMA table_info(events)"))
            if not {"schema", "study"} <= meta.keys():
                raise damaged_log(path, "the configuration of the study is lost")
            if meta["schema"] != str(SCHEMA):
                raise other_schema(path.parent, meta["schema"])
            if columns not in (FIELDS, (*FIELDS, "digest")) or not meta.keys() <= META:
                raise damaged_log(path, "it has other tables than an event log")
            store = cls(path, connection, meta, sealed=len(columns) > len(FIELDS))
            if store.sealed and meta.get("start") != str(first_link(meta)):
                raise damaged_log(path, "the configuration of the study does not match its checksum")
            if not readonly:
                store._begin_writing()
        except sqlite3.DatabaseError as error:
            close(connection)
            raise unreadable(path, error) from error
        except ValueError as error:  # such as a name of a table that is not UTF-8 any more
            close(connection)
            raise damaged_log(path, f"it cannot be read ({error})") from error
        except BaseException:
            close(connection)
            raise
        return store

    @property
    def study(self) -> dict[str, Any]:
        """Configuration of the study, as a mapping."""
        study: dict[str, Any] = json.loads(self._meta["study"])
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
        now = steady_time()
        plain = without_nan(payload or {})
        text = _ENCODER.encode(plain)
        end = self._end
        if end is None:
            raise ValueError(f"{self.path}: is not open for writing")
        row = (end.seq + 1, now, kind, trial, seed, epoch, text)
        link = end.following(row)
        try:
            cursor = self._connection.execute(  # a single statement is a transaction
                "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (trial, seed, epoch) WHERE kind = 'epoch' DO NOTHING",
                (*row, link.digest),
            )
        except sqlite3.IntegrityError as error:
            text = "another driver has written to this study, although only one may: this one ends and has lost nothing"
            raise DataError(f"{self.path}: {text}") from error
        except sqlite3.DatabaseError as error:
            raise unwritable(self.path, error) from error
        if not cursor.rowcount:
            self._refuse_false_conflict(trial, seed, epoch)
            return None
        self._end = link
        self._head.write(link)
        return Event(link.seq, now, kind, trial, seed, epoch, plain)

    def _refuse_false_conflict(self, trial: int | None, seed: int | None, epoch: int | None) -> None:
        """Refuse an index that names an epoch which the log does not have: the epoch would be dropped in silence.

        Raises:
            DamagedFileError: If the log has no event of this epoch.
        """
        query = "SELECT 1 FROM events NOT INDEXED WHERE kind = 'epoch' AND trial = ? AND seed = ? AND epoch = ?"
        if not self._connection.execute(query, (trial, seed, epoch)).fetchall():
            raise damaged_log(self.path, "its index of epochs does not match its events")

    def events(self, after: int = 0) -> Iterator[Event]:
        """Yield the events in the order of arrival, each verified.

        Args:
            after: Number of the last event to skip.

        Raises:
            DataError: If the log cannot be read, or cannot be read any more.
            DamagedFileError: If an event was changed, inserted or lost after it was written.
        """
        for seq, when, kind, trial, seed, epoch, payload in self._rows(after):
            yield Event(seq, when, kind, trial, seed, epoch, self._payload(seq, kind, payload))

    def _rows(self, after: int) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of events, each verified. Errors are those of `events`."""
        ends: list[Link] = []
        try:
            # The end is read before the events: a driver may append more meanwhile.
            ends += self._ends() if self.sealed else []
            link = self._link_at(after) if self.sealed else Link(after, b"")
            query = f"SELECT {', '.join(FIELDS)}{', digest' * self.sealed} FROM events WHERE seq > ? ORDER BY seq"
            for row in self._connection.execute(query, (after,)):
                if self.sealed:
                    seq = row[0]
                    expected = link.seq + 1
                    link = link.following(row[: len(FIELDS)])
                    if seq != expected or row[-1] != link.digest or any(end.seq == seq and end != link for end in ends):
                        raise damaged_log(self.path, f"event {expected} does not match its checksum or is lost")
                    self._verified = link
                yield row[: len(FIELDS)]
        except sqlite3.DatabaseError as error:
            raise unreadable(self.path, error) from error
        except UnicodeDecodeError as error:
            raise damaged_log(self.path, f"it cannot be read ({error})") from error
        if ends and after <= (last := max(end.seq for end in ends)) and link.seq < last:
            raise damaged_log(self.path, f"its events {link.seq + 1} to {last} are lost")

    def restore(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Append events of another log with their times, in one transaction. Their numbers are given again.

        Args:
            rows: `FIELDS` of each event.
        """
        assert self._end is not None, "the log is open for writing"
        self._connection.execute("BEGIN IMMEDIATE")
        for _, *fields in rows:
            row = (self._end.seq + 1, *fields)
            self._end = self._end.following(row)
            self._connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, self._end.digest))
        self._connection.execute("COMMIT")
        self._head.write(self._end)

    def has_sound_index(self) -> bool:
        """Return whether SQLite finds no fault in its own structures, such as the index of epochs."""
        try:
            return bool(self._connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)])
        except sqlite3.DatabaseError:
            return False

    def verify(self) -> None:
        """Verify each event, without reading what it says.

        Raises:
            DataError: If the log cannot be read.
            DamagedFileError: If an event was changed, inserted or lost after it was written.
        """
        for _ in self._rows(0):
            pass

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
        """Write a consistent copy of the log, which may be in use meanwhile. The copy knows its last event."""
        with closing(sqlite3.connect(path)) as copy, copy:
            self._connection.backup(copy)
            if self.sealed:
                ((seq, digest),) = copy.execute(_LAST).fetchall() or [(0, None)]
                if digest is not None:
                    copy.execute(_SET_HEAD, (str(Link(seq, digest)),))

    def close(self) -> None:
        """Close the file. SQLite merges the write-ahead log into it."""
        if self._end is not None and self._end.seq and self._meta.get("head") != str(self._end):
            with suppress(sqlite3.DatabaseError):  # on a full disk; `Head` has the end too
                self._connection.execute(_SET_HEAD, (str(self._end),))
        self._end = None
        self._head.close()
        with suppress(sqlite3.OperationalError):  # on a full disk; the events stay in the write-ahead log
            self._connection.close()

    def _begin_writing(self) -> None:
        """Read the end of the chain, and add the digests to a log that has none."""
        if not self.sealed:
            self._upgrade()
        rows = self._connection.execute(_LAST).fetchall()
        self._end = Link(*rows[0]) if rows else first_link(self._meta)

    def _upgrade(self) -> None:
        """Add digests to a log of an older version."""
        start = link = first_link(self._meta)
        digests = []
        for row in self._connection.execute(f"SELECT {', '.join(FIELDS)} FROM events ORDER BY seq"):
            link = link.following(row)
            digests.append((link.digest, link.seq))
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.execute("ALTER TABLE events ADD COLUMN digest BLOB")
            self._connection.executemany("UPDATE events SET digest = ? WHERE seq = ?", digests)
            self._connection.execute("INSERT INTO meta VALUES ('start', ?)", (str(start),))
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        self._head.write(link)
        self.sealed = self.upgraded = True

    def _ends(self) -> list[Link]:
        """Return the ends of the chain that were written outside the events: by a driver, and when it closed the log.

        Raises:
            DamagedFileError: If one of them is damaged.
        """
        try:
            ends = [Link.of(self._meta["head"])] if "head" in self._meta else []
        except ValueError as error:
            raise damaged_log(self.path, "the number of its last event is broken") from error
        head = self._head.read()
        return ends if head is None else [*ends, head]

    def _link_at(self, seq: int) -> Link:
        """Return the chain up to an event: the verified one, or the one in the log."""
        if self._verified is not None and self._verified.seq == seq:
            return self._verified
        if seq == 0:
            return first_link(self._meta)
        rows = self._connection.execute("SELECT seq, digest FROM events WHERE seq = ?", (seq,)).fetchall()
        if not rows:
            raise damaged_log(self.path, f"event {seq} is lost")
        return Link(*rows[0])


_LAST = "SELECT seq, digest FROM events ORDER BY seq DESC LIMIT 1"
_SET_HEAD = "INSERT OR REPLACE INTO meta VALUES ('head', ?)"
