"""Ray: found or started, kept quiet, and given trials to run."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from groupdir.data.base import Dataset
from groupdir.errors import ConfigError
from groupdir.files.study_files import RUN_PREFIX
from launch.control.study_loop import StudyLoop
from launch.on_ray import private
from launch.on_ray.slots import Slots, alive_nodes, in_words
from launch.study.study import Study

if TYPE_CHECKING:
    from ray import tune

LONGEST_TEMP = 30  # Ray puts Unix sockets some 70 characters below, and Linux allows 107
MIB = 1024**2


class Interrupt:
    """Whether to end early: a first Ctrl-C (or SIGTERM) asks to, a second one insists. A stopper of Ray asks this.

    Args:
        max_seconds: Time after which to end as well.
    """

    def __init__(self, max_seconds: float | None) -> None:
        self.asked = False
        self.out_of_time = False
        self._deadline = None if max_seconds is None else time.monotonic() + max_seconds

    def __call__(self) -> bool:
        """Whether to end now."""
        self.out_of_time = self._deadline is not None and time.monotonic() >= self._deadline
        return self.asked or self.out_of_time

    @contextlib.contextmanager
    def catch(self) -> Iterator[None]:
        """Takes the signals while the context lasts."""
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

        def ask(number: int, frame: FrameType | None) -> None:
            if self.asked:
                raise KeyboardInterrupt
            self.asked = True

        for number in before:
            signal.signal(number, ask)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextlib.contextmanager
def quiet_ray(shared_bytes: int) -> Iterator[None]:
    """Ray for as long as the context lasts: the cluster that RAY_ADDRESS names, or one of this machine's own.

    Args:
        shared_bytes: Size of what trials share through the object store.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # workers inherit it: more threads than cores are many times slower
    private.quiet_switches()
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    os.environ["TUNE_DISABLE_SIGINT_HANDLER"] = "1"  # `Interrupt` handles it, through a stopper
    os.environ.setdefault("TUNE_FORCE_TRIAL_CLEANUP_S", "10")
    import ray

    if address := os.environ.get("RAY_ADDRESS"):
        with _keeps_sigterm():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        try:
            yield
        finally:
            ray.shutdown()
        return
    parent = tempfile.gettempdir()
    temp = tempfile.mkdtemp(prefix="gd-", dir=parent if len(parent) <= LONGEST_TEMP else "/tmp")
    try:
        with _keeps_sigterm():
            ray.init(
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=max(128 * MIB, 2 * shared_bytes),
                **private.session_in(temp),
            )
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(temp, ignore_errors=True)


@contextlib.contextmanager
def _keeps_sigterm() -> Iterator[None]:
    """Leaves SIGTERM to who has it: Ray's start takes it, and then ends the program at once, without checkpoints."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if callable(before) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)


@dataclass(frozen=True)
class Screen:
    """Where a run is watched: what is called several times a second, and what says a line."""

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
    """Runs trials until all have ended, or someone asks to end.

    Ray's own restore is not used: it brings back neither rungs nor what a sampler needs. Each driver makes a new
    experiment folder, and goes on from the store.

    Args:
        study: Where they are recorded.
        loop: Who says which trial runs, and what becomes of it.
        dataset: What all trials share, if they share one.
        interrupt: Asked whether to end early.
        screen: Where it is watched.
        trainable: What a trial does, where it is not `TrialTrainable`: it takes the same configuration and data set,
            and gives the same rows.

    Raises:
        ConfigError: This machine can hold no trial.
        NodeError: A node runs another groupdir, lacks the data, or its disk is full. Nothing is lost: a resume goes on.
    """
    from ray import tune

    from groupdir.trainable import TrialTrainable
    from launch.on_ray.callback import Recorder, number
    from launch.on_ray.scheduler import RecordingScheduler
    from launch.on_ray.searcher import StudySearcher
    from launch.study.checkpoints import trial_name

    class WhenAsked(tune.Stopper):
        def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
            return False

        def stop_all(self) -> bool:
            return interrupt() or recorder.refused is not None

    recorder = Recorder(study, loop, screen.refresh, screen.say)
    search, slots = study.config.search, Slots.of_cluster(study.config.search)
    if not os.environ.get("RAY_ADDRESS") and not any(slots.rooms.values()):  # of a cluster the doctor says so
        asked, there = " or ".join(map(str, slots.rooms)), ", ".join(map(in_words, alive_nodes()))
        text = f"a trial must fit on this machine, which has {there}, but asks for {asked}: lower it, and begin anew"
        raise ConfigError([study.config.mistake("search.resources", text)])
    taken = len(study.runs())
    shared = tune.with_parameters(trainable or TrialTrainable, dataset=dataset)
    shared.__name__ = shared.__qualname__ = TrialTrainable.__name__  # what `ps` and Ray's dashboard show
    tuner = tune.Tuner(
        shared,
        tune_config=tune.TuneConfig(
            search_alg=StudySearcher(study, loop.following, slots),
            scheduler=RecordingScheduler(loop, slots, screen.say),
            num_samples=-1,  # until the searcher says that it is over
            max_concurrent_trials=1,  # makes Ray ask the searcher, which counts itself
            reuse_actors=True,
            trial_name_creator=lambda trial: trial_name(number(trial)),
            trial_dirname_creator=lambda trial: trial_name(number(trial)),
        ),
        run_config=tune.RunConfig(
            name=f"{RUN_PREFIX}{taken + 1}",
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
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # a failed trial is a line of ours, not a traceback
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tuner.fit()
    if recorder.refused is not None:
        raise recorder.refused
