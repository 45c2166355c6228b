"""Causes of failed trials of Ray, and the failures of a machine among them.

A failure of a machine is not a failure of the trial that ran there. The search ends, the trial stays open, and a resume
after the repair runs the trial again.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ray import cloudpickle
from ray.exceptions import LocalRayletDiedError, OutOfDiskError, RayActorError, WorkerCrashedError

from groupdir.errors import DiskFullError, FileWriteError, GroupdirError, NodeError
from groupdir.files.write_whole import FULL
from launch.on_ray import private

if TYPE_CHECKING:
    from ray.tune.experiment import Trial

LOST = (errno.EIO, errno.ESTALE, errno.EROFS, errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.EHOSTDOWN)
"""Errors of a disk or a network file system that is no longer there."""
LEAST_FREE = 2**20
"""Bytes below which a file system counts as full: not even the files of a trial's start fit."""
REMEDY = "then resume the search, which runs the trial again and continues without loss"


def cause_of(trial: Trial) -> BaseException | None:
    """Return the last exception that a trial raised in its worker, or None if it has not failed.

    It is also None if Ray could not write down the exception, because its folder is gone or full.
    """
    path = private.error_file(trial)
    if path is None or not Path(path).is_file():
        return None
    return private.cause_in_worker(cloudpickle.loads(Path(path).read_bytes()))


def reason(error: BaseException) -> str:
    """Return one line that says why a trial failed."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()] or ["no message"]
    text = lines[0] if isinstance(error, GroupdirError) else f"{type(error).__name__}: {lines[-1]}"
    return text.strip()


def machine_failure(cause: BaseException | None, places: Sequence[Path]) -> NodeError | None:
    """Return the error of the machine that made a trial fail, or None if the trial itself failed.

    Args:
        cause: Exception of the trial, or None if it is unknown.
        places: Folders and files of this machine that trials need: the folders of the study and its storage, and a
            file in Ray's temporary folder that Ray does not write again.
    """
    for error in _chain(cause):
        if isinstance(error, NodeError):
            return error
        full = error.disk_full if isinstance(error, FileWriteError) else getattr(error, "errno", None) in FULL
        if full or isinstance(error, OutOfDiskError):
            folder = full_folder(places)
            where = "a disk is full" if folder is None else f"{folder}: the disk is full"
            return DiskFullError(f"{where}: {reason(error)}: free disk space, {REMEDY}")
        if isinstance(error, OSError) and error.errno in LOST:
            return NodeError(f"a disk or a shared folder is gone: {reason(error)}: mount or restore it, {REMEDY}")
        if isinstance(error, LocalRayletDiedError):
            return NodeError(f"Ray has died on a node: {reason(error)}: read its logs, {REMEDY}")
    for place in places:
        if not place.exists():
            return NodeError(f"{place}: is gone, and trials cannot run without it: find out what removes it, {REMEDY}")
    if (folder := full_folder(places)) is not None:
        return DiskFullError(f"{folder}: the disk is full: free disk space, {REMEDY}")
    return None


def full_folder(places: Sequence[Path]) -> Path | None:
    """Return the first folder, among some folders and those of some files, whose disk is full, or None."""
    folders = [place if place.is_dir() else place.parent for place in places]
    return next((each for each in folders if each.is_dir() and shutil.disk_usage(each).free < LEAST_FREE), None)


def lost_its_process(cause: BaseException | None) -> bool:
    """Return whether a trial failed because its process ended, which anything on its machine may have caused."""
    return isinstance(cause, RayActorError | WorkerCrashedError)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those that led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
