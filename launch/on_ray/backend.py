"""Backend that connects to Ray or starts it, silences it, and runs the trials of a study on it."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from groupdir.command_line.next_command import next_command
from groupdir.data.base import Dataset
from groupdir.errors import ConfigError, FileWriteError, NodeError, described
from groupdir.files.abandoned import temporary_folder
from groupdir.files.study_files import RUN_PREFIX, STORAGE_MARKER
from groupdir.files.write_whole import FULL
from launch.control.study_loop import StudyLoop
from launch.interrupt import Interrupt
from launch.on_ray import private
from launch.on_ray.attempts import Attempts
from launch.on_ray.death import Pulse, end_failed_start, ray_died, shut_down_by_kill, watched
from launch.on_ray.nodes import Nodes, storage_check
from launch.on_ray.sharing import Sharing
from launch.on_ray.slots import Slots, alive_nodes, in_words
from launch.study.study import Study

if TYPE_CHECKING:
    from ray import tune

LONGEST_TEMP = 30  # Ray adds some 70 characters for its Unix sockets, and Linux allows 107
MIB = 1024**2
START_FREE = 8 * MIB
"""Free bytes below which Ray is not started. With too few it fails after half a minute, without naming the disk."""
CONNECT_SECONDS = 10.0
"""Time in which something must listen at the address of a cluster."""


_TEMP_REMEDY = "free some space there, or set TMPDIR to a folder with space; nothing that was recorded is lost"


@contextlib.contextmanager
def quiet_ray(
    shared_bytes: int, interrupt: Interrupt | None = None, die: Callable[[NodeError], object] | None = None
) -> Iterator[None]:
    """Connect to the cluster that RAY_ADDRESS names, or start Ray on this machine, for the time of the context.

    Args:
        shared_bytes: Size in bytes of the data that trials share through the object store.
        interrupt: Condition for an early end.
        die: Function that ends this process if Ray has died. A second thread calls it with the reason, because the main
            thread may wait for Ray. None lets Ray end the process after a minute.

    Raises:
        NodeError: If the cluster cannot be reached, or Ray does not start on this machine.
        FileWriteError: If Ray cannot start because a disk is full.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the workers: more threads than cores are many times slower
    private.quiet_switches()
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # `Interrupt` handles it instead
    os.environ.setdefault("TUNE_FORCE_TRIAL_CLEANUP_S", "10")
    import ray

    if address := os.environ.get("RAY_ADDRESS"):
        refuse_unreachable(address)
        with _starting(f"be reached at {address} (RAY_ADDRESS)"):
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        head = None if address.startswith("ray://") else ray.get_runtime_context().gcs_address
        try:
            with _watched(head, [], interrupt, die if head else None):
                yield
        finally:
            ray.shutdown()
        return
    with temporary_folder("gd-", _temporary_parent()) as temp:
        with _starting("start on this machine"):
            ray.init(
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=max(128 * MIB, 2 * shared_bytes),
                **private.session_in(str(temp)),
            )
        try:
            with _watched(None, [temp], interrupt, die):
                yield
        finally:
            shut_down_by_kill()
            ray.shutdown()


@contextlib.contextmanager
def _watched(
    head: str | None, places: Sequence[Path], interrupt: Interrupt | None, die: Callable[[NodeError], object] | None
) -> Iterator[None]:
    """Watch Ray within the context, and call `die` if it has died.

    Args:
        head: HOST:PORT of a cluster's head, or None for a Ray on this machine.
        places: Folders that Ray on this machine needs. A full or a missing one is the reason of its death.
        interrupt: Condition for an early end.
        die: See `quiet_ray`.
    """
    from launch.on_ray.failures import machine_failure

    if die is None:
        yield
        return
    end = die
    pulse = Pulse(head, lambda: interrupt is not None and interrupt.signalled)
    with watched(pulse, lambda why: end(machine_failure(None, places) or ray_died(why))):
        yield


def _temporary_parent() -> str:
    """Return the folder in which Ray's temporary folder is created.

    Python passes over a TMPDIR in which not one byte can be written, and takes /tmp, /var/tmp or the current folder.

    Raises:
        FileWriteError: If its disk is full.
    """
    try:
        parent = tempfile.gettempdir()
        parent = parent if len(parent) <= LONGEST_TEMP else "/tmp"
        free = shutil.disk_usage(parent).free
    except FileNotFoundError as error:
        raise FileWriteError(f"Ray cannot start: {error}: {_TEMP_REMEDY}", disk_full=True) from error
    if free < START_FREE:
        text = f"{parent}: the disk is full: Ray's temporary files need {START_FREE:,} bytes, and {free:,} are free"
        raise FileWriteError(f"{text}: {_TEMP_REMEDY}", disk_full=True)
    return parent


def own_socket() -> Path | None:
    """Return the socket of the Ray that this process has started, or None on a cluster.

    The socket is in Ray's temporary folder, and unlike the folder it is not made again after someone has removed it.
    """
    import ray

    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return None if os.environ.get("RAY_ADDRESS") or not nodes else private.socket_of(nodes[0])


def refuse_unreachable(address: str) -> None:
    """Refuse the address of a cluster at which nothing listens. Ray itself would try for minutes.

    Args:
        address: Address as in RAY_ADDRESS. Only those of the form HOST:PORT are tried.

    Raises:
        NodeError: If nothing listens there.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS):
            pass
    except (OSError, OverflowError) as error:
        raise NodeError(
            f"no Ray answers at {address} (RAY_ADDRESS): {error}: start the cluster, or unset RAY_ADDRESS to use this "
            "machine"
        ) from error


@contextlib.contextmanager
def _starting(what: str) -> Iterator[None]:
    """Context in which Ray starts. Every error of Ray says what Ray could not do, and no process of Ray is left.

    Args:
        what: What Ray does, for the message.
    """
    import ray

    try:
        with private.signals_left_to_driver() as started:
            try:
                yield
            except BaseException:  # Ctrl-C too
                ray.shutdown()
                end_failed_start(started())
                raise
    except Exception as error:  # Ray raises plain exceptions here
        text = f"Ray could not {what}: {described(error)}"
        if is_disk_full(error):
            raise FileWriteError(f"{text}: free some space", disk_full=True) from error
        remedy = "an overloaded machine or too little memory are the usual reasons"
        raise NodeError(f"{text}: {remedy}; nothing that was recorded is lost") from error


@dataclass(frozen=True)
class Screen:
    """Output of a run.

    Attributes:
        refresh: Function that Ray calls several times a second.
        say: Function that prints a line.
    """

    refresh: Callable[[], None]
    say: Callable[[str], None]


def run_trials(
    study: Study,
    loop: StudyLoop,
    dataset: Dataset | None,
    interrupt: Interrupt,
    screen: Screen,
    trainable: type[tune.Trainable] | None = None,
) -> None:
    """Run trials until the study loop is over or an early end is requested.

    Ray's own restore is not used, because it restores neither rungs nor the state of a sampler. Each driver creates a
    new experiment folder and resumes the trials from the event log.

    Args:
        study: The study that the trials belong to.
        loop: Study loop that chooses the next trial and decides which trials continue.
        dataset: Data set that all trials share, or None if each loads its own.
        interrupt: Condition for an early end.
        screen: Output of the run.
        trainable: Replacement for `TrialTrainable`. It takes the same configuration and data set and reports the same
            rows.

    Raises:
        ConfigError: If this machine is too small for a trial.
        FileWriteError: If the disk of the study is full. No result is lost.
        NodeError: If a node runs another version of groupdir, lacks the data, or has a full disk. No result is lost;
            resume the study after the repair.
    """
    from ray import tune

    from groupdir.trainable import TrialTrainable
    from launch.on_ray.callback import Recorder
    from launch.on_ray.scheduler import RecordingScheduler
    from launch.on_ray.searcher import StudySearcher
    from launch.on_ray.trial_number import number
    from launch.study.checkpoints import trial_name

    class WhenAsked(tune.Stopper):
        def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
            return False

        def stop_all(self) -> bool:
            return interrupt() or recorder.refused is not None or study.failure is not None

    search, marker, run = study.config.search, study.storage / STORAGE_MARKER, f"{RUN_PREFIX}{len(study.runs()) + 1}"
    marker.write(b"")
    nodes = Nodes(storage_check(marker), screen.say)
    attempts = Attempts(study, run, screen.say)
    sharing = _sharing(study, screen.say)
    slots = Slots.of_cluster(search, lambda: nodes.refused, sharing)
    if not os.environ.get("RAY_ADDRESS") and not any(slots.rooms.values()):  # a cluster is checked by the doctor
        requested, available = " or ".join(map(str, slots.rooms)), ", ".join(map(in_words, alive_nodes()))
        text = f"a trial requests {requested} but this machine has {available}: lower the request and start again"
        raise ConfigError([study.config.mistake("search.resources", text)])
    recorder = Recorder(
        study, loop, nodes, slots, screen.refresh, screen.say, own_socket(), lambda: interrupt.signalled
    )
    shared = tune.with_parameters(trainable or TrialTrainable, dataset=dataset)
    shared.__name__ = shared.__qualname__ = TrialTrainable.__name__  # shown by `ps` and Ray's dashboard
    tuner = tune.Tuner(
        shared,
        tune_config=tune.TuneConfig(
            search_alg=StudySearcher(study, loop.following, slots, nodes, attempts),
            scheduler=RecordingScheduler(loop, slots, nodes, attempts, screen.say),
            num_samples=-1,  # until the searcher returns FINISHED
            max_concurrent_trials=1,  # makes Ray call `set_max_concurrency` of the searcher
            reuse_actors=True,
            trial_name_creator=lambda trial: trial_name(number(trial)),
            trial_dirname_creator=lambda trial: trial_name(number(trial)),
        ),
        run_config=tune.RunConfig(
            name=run,
            storage_path=str(study.storage),
            callbacks=[recorder],
            stop=WhenAsked(),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=search.max_failures),
            checkpoint_config=tune.CheckpointConfig(
                num_to_keep=1, checkpoint_frequency=search.checkpoint_every, checkpoint_at_end=True
            ),
        ),
    )
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a failed trial is one line of ours, not a traceback
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tuner.fit()
    except Exception as error:
        if study.failure is None and is_disk_full(error):
            raise FileWriteError(_full(study, recorder.places, error), disk_full=True) from error
        if study.failure is None:
            raise
    finally:
        if sharing is not None:
            sharing.end()
    if study.failure is not None:  # Ray may have taken the error for one of a trial's
        raise study.failure
    if recorder.refused is not None:
        raise recorder.refused


def _sharing(study: Study, say: Callable[[str], None]) -> Sharing | None:
    """Return the part of the cluster that a search may use, or None on a Ray of its own."""
    import ray

    if not os.environ.get("RAY_ADDRESS"):
        return None
    key = ray.get_runtime_context().get_job_id()
    return Sharing(key, study.config.name, study.config.search.priority, private.ClusterBoard(), say)


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether a full disk has caused an error."""
    while error is not None:
        if (isinstance(error, OSError) and error.errno in FULL) or private.says_disk_full(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _full(study: Study, places: Sequence[Path], error: BaseException) -> str:
    """Return the message about the full disk of one of some places, or else of the study's storage."""
    from launch.on_ray.failures import full_folder

    reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
    remedy = f"free some space, then continue with `{next_command('resume', study.folder)}`, which loses nothing"
    return f"{full_folder(places) or study.storage}: the disk is full: {reason}: {remedy}"
