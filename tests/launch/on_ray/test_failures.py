"""A failure of a machine is told from the failure of a trial, which stays open for a resume."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray import cloudpickle

from groupdir.errors import DiskFullError, FileWriteError, MethodError, NodeError
from launch.control.study_loop import StudyLoop
from launch.on_ray.callback import Recorder
from launch.on_ray.capacity import Coming
from launch.on_ray.failures import machine_failure
from launch.on_ray.nodes import Nodes
from launch.on_ray.slots import Slots
from launch.schedulers.none import NoStopping
from launch.study.study import Study


def places(study: Study) -> tuple[Nodes, Slots]:
    """Nodes and slots of a cluster that nobody asks."""
    nodes = Nodes(lambda node: lambda: "", print, dict)
    return nodes, Slots(study.config.search, lambda: [{"CPU": 4.0}], Coming())


def os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number), "/data/checkpoint")


def caused_by(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("cause", "kind", "text"),
    [
        (
            os_error(errno.ENOSPC),
            DiskFullError,
            "a disk is full: OSError: .*No space left.*: free disk space, then resume",
        ),
        (os_error(errno.EDQUOT), DiskFullError, "a disk is full"),
        (FileWriteError("a.pt: cannot be written", disk_full=True), DiskFullError, "a disk is full: a.pt"),
        (caused_by(RuntimeError("tune"), os_error(errno.ENOSPC)), DiskFullError, "a disk is full"),
        (
            os_error(errno.ESTALE),
            NodeError,
            "a shared folder is gone: OSError: .*Stale file handle.*: mount or restore it",
        ),
        (os_error(errno.EIO), NodeError, "a disk or a shared folder is gone"),
    ],
)
def test_the_error_of_a_disk(cause: Exception, kind: type[NodeError], text: str, tmp_path: Path) -> None:
    failure = machine_failure(cause, [tmp_path])
    assert type(failure) is kind
    with pytest.raises(kind, match=text):
        raise failure


@pytest.mark.parametrize(
    "cause",
    [None, MethodError("loss is nan"), FileNotFoundError(errno.ENOENT, "no"), MemoryError(), PermissionError(13, "")],
)
def test_other_errors_are_those_of_the_trial_unless_a_folder_is_gone(cause: Exception | None, tmp_path: Path) -> None:
    assert machine_failure(cause, [tmp_path]) is None
    failure = machine_failure(cause, [tmp_path, tmp_path / "gone"])
    assert type(failure) is NodeError
    assert str(failure).startswith(f"{tmp_path / 'gone'}: is gone, and trials cannot run without it")


@pytest.mark.parametrize("retried", [True, False])
def test_a_trial_that_a_machine_has_failed_stays_open(
    retried: bool, study: Study, suggest: Callable[[Study], int], tmp_path: Path
) -> None:
    """Ray's folder is gone, so that Ray could not write down why the trial failed."""
    suggest(study)
    session = tmp_path / "session"
    loop = StudyLoop(study, NoStopping(), "val_mae_all")
    recorder = Recorder(study, loop, *places(study), lambda: None, lambda text: None, session)
    trial: Any = SimpleNamespace(config={"trial": 0}, pickled_error_file=str(session / "error.pkl"))
    (recorder.on_trial_recover if retried else recorder.on_trial_error)(0, [], trial)
    assert study.state.trials[0].status == "running"
    assert str(recorder.refused).startswith(f"{session}: is gone")


def test_a_trial_that_fails_by_itself_is_recorded(
    study: Study, suggest: Callable[[Study], int], tmp_path: Path
) -> None:
    suggest(study)
    file = tmp_path / "error.pkl"
    file.write_bytes(cloudpickle.dumps(MethodError("loss is nan")))
    loop = StudyLoop(study, NoStopping(), "val_mae_all")
    recorder = Recorder(study, loop, *places(study), lambda: None, lambda text: None, tmp_path)
    trial: Any = SimpleNamespace(config={"trial": 0}, pickled_error_file=str(file))
    recorder.on_trial_error(0, [], trial)
    assert recorder.refused is None
    assert (study.state.trials[0].status, study.state.trials[0].message) == ("failed", "loss is nan")
