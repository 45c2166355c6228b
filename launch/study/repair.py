"""Repair of a study's folder: keep what is intact, set aside what is damaged, and write again what can be computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from groupdir.config.space import StudyConfig, load_space
from groupdir.errors import DataError, GroupdirError
from groupdir.files.parquet import read_parquet
from groupdir.files.sealed import quarantine, verify_file, verify_text
from groupdir.files.study_files import (
    BEST_PREFIX,
    CHECKPOINTS,
    EPOCHS,
    EVENT_HEAD,
    EVENT_LOG,
    FRONT,
    RAY,
    STAGES,
    STUDY_CONFIG,
    TRIALS,
)
from groupdir.files.write_whole import partial_path, put_in_place
from groupdir.study.salvage import is_intact, salvage
from groupdir.study.store import Store
from launch.study.driver_lock import DriverLock
from launch.study.export import write_tables
from launch.study.study import Study, discard_leftovers

SHOWN = 10
"""Largest number of lost events whose numbers are printed."""


def repair(folder: Path, say: Callable[[str], None]) -> int:
    """Repair the folder of a study. Nothing is deleted: a damaged file gets another name.

    Args:
        folder: The study's folder.
        say: Function that prints a line about each change.

    Returns:
        The number of changes.

    Raises:
        DataError: If the folder holds no event log, a driver runs the study, or its configuration is lost.
    """
    folder = folder.absolute()
    if not (folder / EVENT_LOG).exists():
        raise DataError(f"{folder}: must be the folder of a study, but has no {EVENT_LOG}: restore it from a copy")
    changes: list[str] = []

    def done(text: str) -> None:
        changes.append(text)
        say(text)

    lock = DriverLock.take(folder)
    try:
        if not is_intact(folder / EVENT_LOG):
            _repair_log(folder, done)
        for path in discard_leftovers(folder):
            done(f"removed {path}, which an ended process had not finished")
        for path in _damaged(folder):
            done(f"{path}: is damaged; it is kept as {quarantine(path).name}")
    finally:
        lock.release()
    study = Study.open(folder)
    try:
        for notice in study.notices:
            done(notice)
        if changes or not all((folder / name).is_file() for name in (EPOCHS, TRIALS)):
            write_tables(study)
            done(f"wrote {TRIALS} and {EPOCHS} again from the event log")
    finally:
        study.close()
    return len(changes)


def _repair_log(folder: Path, done: Callable[[str], None]) -> None:
    """Write the intact events of a damaged log to a new log, and set the damaged one aside."""
    log = folder / EVENT_LOG
    salvaged = salvage(log)
    config = salvaged.study if salvaged.study is not None else _configuration(folder).to_dict()
    new = partial_path(folder / EVENT_LOG)
    new.mkdir()
    try:
        store = Store.create(new / EVENT_LOG, config)
        store.restore(salvaged.rows)
        store.close()
        for name in (f"{EVENT_LOG}-wal", f"{EVENT_LOG}-shm", EVENT_HEAD, EVENT_LOG):
            if (folder / name).exists():
                done(f"{folder / name}: is kept as {quarantine(folder / name).name}")
        for name in (EVENT_HEAD, EVENT_LOG):
            put_in_place(new / name, folder / name)
    finally:
        for path in new.iterdir():
            path.unlink()
        new.rmdir()
    lost = f"{len(salvaged.lost)} are lost" if salvaged.lost else "none is lost"
    numbers = (
        f": {', '.join(map(str, salvaged.lost[:SHOWN]))}{', ...' * (len(salvaged.lost) > SHOWN)}"
        if salvaged.lost
        else ""
    )
    done(f"{log}: written again with {len(salvaged.rows)} intact events; {lost}{numbers}")


def _configuration(folder: Path) -> StudyConfig:
    """Return the configuration of a study from its YAML file.

    Raises:
        DataError: If the file is damaged too.
    """
    path = folder / STUDY_CONFIG
    try:
        verify_text(path, path.read_text(encoding="utf-8"))
        return load_space(path)
    except (GroupdirError, OSError, UnicodeDecodeError) as error:
        text = f"both {EVENT_LOG} and {STUDY_CONFIG} have lost the configuration of the study: {error}"
        raise DataError(f"{folder}: cannot be repaired: {text}: restore one of them from a copy") from error


def _damaged(folder: Path) -> Iterator[Path]:
    """Yield the damaged files of a study other than its event log."""
    for path in (folder / name for name in (TRIALS, EPOCHS, FRONT)):
        if path.is_file() and not _is_table(path):
            yield path
    for path in (*sorted(folder.glob(f"{BEST_PREFIX}*.yaml")), folder / STUDY_CONFIG):
        if path.is_file() and not _is_text(path):
            yield path
    for inside in (CHECKPOINTS, STAGES, RAY):
        for path in sorted((folder / inside).rglob("*.pt")):
            if not _is_checkpoint(path):
                yield path


def _is_table(path: Path) -> bool:
    try:
        read_parquet(path)
    except DataError:
        return False
    return True


def _is_text(path: Path) -> bool:
    try:
        verify_text(path, path.read_text(encoding="utf-8"))
    except (DataError, UnicodeDecodeError):
        return False
    return True


def _is_checkpoint(path: Path) -> bool:
    """Return whether a checkpoint is intact. One of an older version, without a checksum, must only be readable."""
    from groupdir.training.checkpoint import load_checkpoint

    try:
        if not verify_file(path):
            load_checkpoint(path)
    except DataError:
        return False
    return True
