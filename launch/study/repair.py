"""Repair of a folder of results: keep what is intact, rename what is damaged, and write again what can be computed.

The folder is that of a study, of a benchmark, or of `groupdir train`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from groupdir.config.space import StudyConfig, load_space
from groupdir.errors import DataError, GroupdirError
from groupdir.files.parquet import read_parquet
from groupdir.files.sealed import quarantine, read_sealed_text, seal_text, verify_file
from groupdir.files.study_files import (
    BEST_PREFIX,
    CHECKPOINTS,
    EPOCHS,
    EVENT_HEAD,
    EVENT_LOG,
    FRONT,
    LAST_CHECKPOINT,
    PREDICTIONS,
    RAY,
    RESULT,
    STAGES,
    STUDY_CONFIG,
    TRIALS,
)
from groupdir.files.training_result import read_result
from groupdir.files.write_whole import partial_path, put_in_place, write_whole
from groupdir.study.salvage import is_intact, salvage
from groupdir.study.store import Store
from launch.study.driver_lock import DriverLock
from launch.study.export import write_tables
from launch.study.study import Study, discard_leftovers

SHOWN = 10
"""Largest number of lost events whose numbers are printed."""


def repair(folder: Path, say: Callable[[str], None]) -> int:
    """Repair a study, or every study and measured training of another folder. Nothing is deleted: files are renamed.

    Args:
        folder: Folder of a study, of a benchmark, or of `groupdir train`.
        say: Function that prints a line about each change.

    Returns:
        The number of changes.

    Raises:
        DataError: If the folder holds neither a study nor a training, a driver runs a study of it, or the configuration
            of a study is lost.
    """
    folder = folder.absolute()
    studies = [folder] if (folder / EVENT_LOG).exists() else sorted(log.parent for log in folder.rglob(EVENT_LOG))
    trainings = sorted(path for name in MEASURED_FILES for path in folder.rglob(name))
    if not studies and not trainings:
        text = f"must be the folder of a study, a benchmark or `groupdir train`, but has no {EVENT_LOG}"
        raise DataError(f"{folder}: {text}: restore it from a copy")
    changes: list[str] = []

    def done(text: str) -> None:
        changes.append(text)
        say(text)

    for study in studies:
        _repair_study(study, done)
    for path in trainings:
        if not MEASURED_FILES[path.name](path):
            _set_aside(path, done)
    return len(changes)


def _repair_study(folder: Path, say: Callable[[str], None]) -> None:
    """Repair the files of a study other than its measured trainings, and print a line about each change."""
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
            _set_aside(path, done)
    finally:
        lock.release()
    study = Study.open(folder)
    try:
        for notice in study.notices:
            done(notice)
        if not (folder / STUDY_CONFIG).is_file():
            write_whole(folder / STUDY_CONFIG, seal_text(study.config.to_yaml()))
            done(f"wrote {STUDY_CONFIG} again from the event log")
        if changes or not all((folder / name).is_file() for name in (EPOCHS, TRIALS)):
            write_tables(study)
            done(f"wrote {TRIALS} and {EPOCHS} again from the event log")
    finally:
        study.close()


def _set_aside(path: Path, done: Callable[[str], None]) -> None:
    """Rename a damaged file, and say how to get another one."""
    todo = TODO.get(path.name, "")
    text = "does not match its checksum, so it was edited or is damaged" if path.suffix == ".yaml" else "is damaged"
    if path.name.startswith(BEST_PREFIX):
        todo = "; `groupdir select` writes it again"
    done(f"{path}: {text}; it is kept as {quarantine(path).name}{todo}")


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
        read_sealed_text(path)
        return load_space(path)
    except (GroupdirError, OSError) as error:
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
        read_sealed_text(path)
    except DataError:
        return False
    return True


def _is_result(path: Path) -> bool:
    try:
        read_result(path, "--resume")
    except DataError:
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


MEASURED_FILES: Mapping[str, Callable[[Path], bool]] = {
    RESULT: _is_result,
    PREDICTIONS: _is_table,
    LAST_CHECKPOINT: _is_checkpoint,
}
"""Files of a measured training: name -> function that returns whether such a file is intact."""

TODO: Mapping[str, str] = {
    STUDY_CONFIG: "; make edits that were meant in the new one",
    RESULT: "; `groupdir train` with --resume measures the training again",
    PREDICTIONS: "; `groupdir train` with --resume writes it again",
    LAST_CHECKPOINT: f"; to train it again, rename {RESULT} beside it too, and continue with --resume",
}
"""What a person can do about a damaged file: name -> end of the line that tells of it."""
