"""Salvage of a damaged event log: every event that is provably as it was written."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groupdir.errors import DataError
from groupdir.study.chain import Head, Link, first_link
from groupdir.study.events import KINDS, OF_STUDY, Event
from groupdir.study.state import StudyState, fold
from groupdir.study.store import FIELDS, Store

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Salvage:
    """Intact part of an event log.

    Attributes:
        study: Configuration of the study, or None if it is damaged.
        rows: `FIELDS` of the intact events, in order.
        lost: Numbers of the events that are lost: damaged, missing, or without the event that they build on.
    """

    study: dict[str, Any] | None
    rows: list[Row]
    lost: list[int]


def salvage(log: Path) -> Salvage:
    """Return what is intact in an event log. The log itself is not changed.

    An event is intact if its digest follows from the digest before it. Each event is read on its own, because a damaged
    page of the database hides only the events on it. A log without digests keeps every event that can be read.
    """
    study, rows, last = None, [], 0
    address = f"{log.absolute().as_uri()}?mode=ro"
    # An error means that not even the names of the tables can be read.
    with suppress(sqlite3.Error, ValueError), closing(sqlite3.connect(address, uri=True)) as connection:
        meta = _meta(connection)
        start = first_link(meta) if {"schema", "study"} <= meta.keys() else None
        if start is not None and meta.get("start", str(start)) == str(start):
            study = json.loads(meta["study"])
        columns = [row[1] for row in connection.execute("PRAGMA table_info(events)")]
        last = _last(connection, log)
        rows = [*_intact(connection, start if study is not None else None, last, "digest" in columns)]
    state = StudyState()
    kept = [row for row in rows if _applies(state, row)]
    numbers = {row[0] for row in kept}
    return Salvage(study, kept, [seq for seq in range(1, last + 1) if seq not in numbers])


def is_intact(log: Path) -> bool:
    """Return whether an event log is as it was written, and has digests that say so."""
    try:
        store = Store.open(log, readonly=True)
        try:
            store.verify()
            return store.sealed and store.has_sound_index()
        finally:
            store.close()
    except DataError:
        return False


def _meta(connection: sqlite3.Connection) -> dict[str, str]:
    try:
        return dict(connection.execute("SELECT key, value FROM meta").fetchall())
    except (sqlite3.Error, ValueError):
        return {}


def _last(connection: sqlite3.Connection, log: Path) -> int:
    """Return the number of the last event that was written, from all remaining traces of it."""
    numbers = [0]
    with suppress(DataError):
        head = Head(log).read()
        numbers += [head.seq] if head is not None else []
    with suppress(sqlite3.Error):
        numbers += [row[0] or 0 for row in connection.execute("SELECT MAX(seq) FROM events")]
    return max(number for number in numbers if number < 1 << 40)


def _intact(connection: sqlite3.Connection, start: Link | None, last: int, sealed: bool) -> Iterator[Row]:
    before = start.digest if start is not None else None
    for seq in range(1, last + 1):
        row = _row(connection, seq, sealed)
        if row is None:
            before = None
            continue
        fields = row[: len(FIELDS)]
        digest = row[-1] if sealed and isinstance(row[-1], bytes) else None
        if not sealed or (before is not None and Link(seq - 1, before).following(fields).digest == digest):
            yield fields
        before = digest


def _row(connection: sqlite3.Connection, seq: int, sealed: bool) -> Row | None:
    query = f"SELECT {', '.join(FIELDS)}{', digest' * sealed} FROM events WHERE seq = ?"
    try:
        row: Row | None = connection.execute(query, (seq,)).fetchone()
    except (sqlite3.Error, ValueError):
        return None
    return row


def _applies(state: StudyState, row: Row) -> bool:
    """Apply an event to the state, and return whether the events before it allow that."""
    seq, when, kind, trial, seed, epoch, text = row
    try:
        payload = json.loads(text)
        if kind not in KINDS or (kind not in (*OF_STUDY, "suggested") and trial not in state.trials):
            return False
        fold(state, Event(seq, when, kind, trial, seed, epoch, payload))
    except (DataError, ValueError, TypeError):
        return False
    return True
