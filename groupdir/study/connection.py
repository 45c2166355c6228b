"""Connections to the event log's database, and errors about it that say what to do."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from groupdir.command_line.next_command import next_command
from groupdir.errors import DamagedFileError, DataError, FileWriteError
from groupdir.files.abandoned import temporary_folder

# Codes of SQLite's errors if another machine has the database open: its log and its shared memory cannot be used.
ELSEWHERE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL}


def damaged_log(path: Path, what: str) -> DamagedFileError:
    """Return the error for an event log whose content is not what was written."""
    remedy = f"`{next_command('repair', path.parent)}` keeps every event that is intact"
    return DamagedFileError(f"{path}: is damaged: {what}: {remedy}")


def unwritable(path: Path, error: sqlite3.DatabaseError) -> DataError:
    """Return the error for an event log that SQLite cannot write to."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return unreadable(path, error)
    try:
        free = f"{shutil.disk_usage(path.parent).free:,} bytes free"
    except OSError:
        free = "free space unknown"
    remedy = f"free some space there, then continue with `{next_command('resume', path.parent)}`"
    text = f"{path}: cannot be written: the disk of {path.parent} is full ({free}; SQLite says: {error})"
    return FileWriteError(f"{text}: nothing that was recorded is lost: {remedy}", disk_full=True)


def unreadable(path: Path, error: sqlite3.DatabaseError) -> DataError:
    """Return the error for an event log that SQLite cannot read."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in ELSEWHERE:
        return DataError(
            f"{path}: cannot be read: {error}: while a study runs, read it on the machine of its driver, because "
            "SQLite cannot share its write-ahead log over a network"
        )
    remedy = f"`{next_command('repair', path.parent)}` keeps what is intact"
    return DataError(f"{path}: is not a study, or is broken: {error}: {remedy}")


def connect(path: Path, readonly: bool = False) -> sqlite3.Connection:
    """Open the database.

    In WAL mode with synchronous = NORMAL a commit survives the death of the process and takes 20 microseconds. A commit
    that waits for the disk takes a millisecond. A power cut may lose the latest events, but the remaining events are
    always a prefix of the log: if the event of a checkpoint remains, so do the events of all epochs before it.
    """
    if readonly:
        mode = "?mode=ro"
        if not os.access(path.parent, os.W_OK):
            log, memory = (path.with_name(path.name + suffix).exists() for suffix in ("-wal", "-shm"))
            if log and not memory:
                return _connect_to_copy(path)  # SQLite would create the shared memory of the write-ahead log
            if not log:
                mode += "&immutable=1"  # SQLite would create a write-ahead log, and no driver has one open
        return sqlite3.connect(f"{path.absolute().as_uri()}{mode}", uri=True)
    # A second thread of the driver may write the end of a search; `launch.study.study.Study` admits one at a time.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _connect_to_copy(path: Path) -> sqlite3.Connection:
    """Open a copy of a database in a read-only folder, where SQLite cannot use the log of a killed driver."""
    with temporary_folder("groupdir-") as temporary:
        copy = temporary / path.name
        for suffix in ("-wal", ""):
            shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
        with closing(sqlite3.connect(copy)) as merged:
            memory = sqlite3.connect(":memory:")
            merged.backup(memory)
    return memory


def close(connection: sqlite3.Connection | None) -> None:
    """Close a connection, if there is one."""
    if connection is not None:
        connection.close()
