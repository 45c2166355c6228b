"""Snapshots of a running search: Parquet files that are written at intervals to the study's folder and storage."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

from pyarrow import ArrowException

from groupdir.errors import GroupdirError
from groupdir.files.study_files import EPOCHS, EVENT_LOG, TRIALS
from groupdir.files.write_whole import partial_path
from launch.study.export import write_tables
from launch.study.study import Study


class Snapshots:
    """Writer of the snapshots of a study, one every `search.snapshot_minutes`.

    A snapshot that cannot be written does not end the search, because the event log has all data and the next snapshot
    may succeed.

    Args:
        study: The study. Its folder gets `epochs.parquet` and `trials.parquet`. Its `storage_path`, if it has one, gets
            copies of these files and of the event log.
        say: Function that prints a line. It is called when a snapshot cannot be written.
    """

    def __init__(self, study: Study, say: Callable[[str], None]) -> None:
        self._study = study
        self._say = say
        self._every = 60 * study.config.search.snapshot_minutes
        self._next = time.monotonic() + self._every
        self._seen = 0

    def refresh(self) -> None:
        """Write a snapshot if the interval has passed and epochs were recorded since the last attempt."""
        if time.monotonic() < self._next:
            return
        if self._study.state.epochs != self._seen:
            try_snapshot(self._study, self._say)
        self._seen = self._study.state.epochs
        self._next = time.monotonic() + self._every


def try_snapshot(study: Study, say: Callable[[str], None]) -> bool:
    """Write a snapshot and return whether that succeeded. If not (full disk, unreachable storage), print the reason."""
    try:
        write_snapshot(study)
        return True
    except (OSError, sqlite3.Error, ArrowException, GroupdirError) as error:
        where = study.config.search.storage_path or study.folder
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        say(f"no snapshot in {where}: {reason}; the event log {study.folder / EVENT_LOG} is complete")
        return False


def write_snapshot(study: Study) -> None:
    """Write the Parquet files to the study's folder, and copy them and the event log to its storage, if it has one."""
    write_tables(study)
    if study.config.search.storage_path is None:
        return
    for name in (EPOCHS, TRIALS):
        (study.storage / name).put_whole(study.folder / name)
    copy = partial_path(study.folder / EVENT_LOG)
    try:
        study.copy_store(copy)
        (study.storage / EVENT_LOG).put_whole(copy)
    finally:
        copy.unlink(missing_ok=True)
