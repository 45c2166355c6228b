"""Searches from their configuration to their files: start, resume and confirm one."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from groupdir.command_line.console import say
from groupdir.command_line.next_command import next_command
from groupdir.command_line.program import FAILED, INTERRUPTED
from groupdir.commands.prestart import data_key, refuse_plan
from groupdir.config.confirmation import ConfirmationConfig
from groupdir.config.schedulers import NoStoppingConfig
from groupdir.config.space import StudyConfig, load_space
from groupdir.data.base import Dataset
from groupdir.errors import ConfigError, DataError, DiskFullError, FileWriteError, NodeError
from groupdir.files.storage import Place, is_uri
from groupdir.files.study_files import STUDY_CONFIG, results_folder
from groupdir.training.trainer import make_dataset
from launch.control.ablations import suggest_ablations, unfinished_ablations
from launch.control.confirmation import begin_round, unfinished_round
from launch.control.second_chance import reopen
from launch.control.stop_rules import enough, search_over
from launch.control.study_loop import StudyLoop
from launch.doctor.examine import refuse_sick
from launch.interrupt import Interrupt
from launch.on_ray.backend import Screen, quiet_ray, run_trials
from launch.on_ray.death import await_signal, kill_own_ray
from launch.schedulers import make_scheduler
from launch.screen.counts import phase_counts
from launch.screen.progress import Progress
from launch.screen.summary import shown, summary
from launch.study.edits import apply_edits
from launch.study.ending import finish
from launch.study.restore import bring_back
from launch.study.snapshots import Snapshots
from launch.study.storage_owner import own, refuse_other_owner
from launch.study.study import Study, refuse_existing, stored_at
from launch.study.warm_start import known

Problem = FileWriteError | NodeError
CHECK = ".check"  # file that is written to a storage and removed, to check that the storage works


def search(
    file: str | Path,
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    skip_doctor: bool = False,
    quiet: bool = False,
    again: str | None = None,
) -> int:
    """Run a new search.

    Args:
        file: Search space.
        overrides: `address=value` texts, as for `--set`.
        out: Folder of the study, which must not exist; by default `results/<name of the study>`.
        skip_doctor: Whether to skip the examination of a cluster.
        quiet: Whether to print no progress.
        again: Command that continues the search after an interruption; None for `groupdir resume`.

    Returns:
        The exit code: 0, 1 if no trial finished, 130 if the search was interrupted.

    Raises:
        GroupdirError: If the file has mistakes, the data cannot be used, or the folder exists.
    """
    config = load_space(file, overrides)
    folder = results_folder(config.name, out)
    refuse_existing(folder)
    refuse_taken(config)
    for earlier in config.search.warm_start:
        known(earlier, config)  # raises before the study begins if an earlier study cannot be used
    here = not os.environ.get("RAY_ADDRESS")
    datasets: dict[str, Dataset] = {}
    notes = refuse_plan(config, config.document, datasets=datasets, here=here)  # fast: no picture is read
    dataset = prepared(config, datasets)
    notes += refuse_plan(config, config.document, datasets=datasets, here=here, rehearse_all=True)
    for note in dict.fromkeys(notes):
        say(f"note: {note}")
    if not skip_doctor:
        refuse_sick(config, folder)
    study = Study.create(folder, config)
    warm_up(study)
    return run_study(study, dataset, "start", quiet, again)


def refuse_taken(config: StudyConfig) -> None:
    """Refuse a storage that another study uses: each study would delete the other's checkpoints.

    Raises:
        ConfigError: If the study's place in the storage exists, or the storage cannot be reached.
    """
    place = reached(config)
    if place is not None and (place.names() if place.path is None else place.path.exists()):
        text = f"{place} belongs to another study already: remove it, or choose another path or name"
        raise ConfigError([config.mistake("search.storage_path", text)])


def reached(config: StudyConfig) -> Place | None:
    """Return the place of a study in its storage, or None without a storage.

    Raises:
        ConfigError: If the storage is an object store that cannot be written to.
    """
    if config.search.storage_path is None:
        return None
    place = Place.at(config.search.storage_path)
    try:
        if place.path is None:
            (place / CHECK).write(b"")
            (place / CHECK).remove()
    except (OSError, ConfigError) as error:
        why = str(error).splitlines()[0]
        text = f"must be a writable storage, got {config.search.storage_path}: {why}"
        raise ConfigError([config.mistake("search.storage_path", text)]) from error
    return stored_at(config)


def resume(
    folder: str | Path,
    skip_doctor: bool = False,
    out: str | Path | None = None,
    quiet: bool = False,
    again: str | None = None,
) -> int:
    """Resume a search that was interrupted or killed. A study without remaining trials is only summarised.

    Args:
        folder: Folder of the study. If that was lost, the study's place in its storage (s3://bucket/path/<name>), from
            which the folder is rebuilt.
        skip_doctor: Whether to skip the examination of a cluster.
        out: Folder to rebuild; by default `results/<name of the study>`.
        quiet: Whether to print no progress.
        again: Command that continues the search after another interruption; None for `groupdir resume`.

    Returns:
        The exit code, as `search`.

    Raises:
        GroupdirError: If the folder is no study, or another driver runs the study.
    """
    if is_uri(folder):
        place = Place.at(folder)
        folder = results_folder(place.name, out)
        bring_back(place, folder)
        say(f"rebuilt {folder} from the copy in its storage")
    study = Study.open(Path(folder).expanduser())
    try:
        say_edits(study)
        if not study.state.trials and not study.state.warm:
            warm_up(study)  # the first driver may have died before its warm start
        dataset = prepared(study.config)
        reached(study.config)
        if not skip_doctor:
            refuse_sick(study.config, study.folder)
    except BaseException:
        study.close()
        raise
    return run_study(study, dataset, "resume", quiet, again)


def say_edits(study: Study) -> None:
    """Apply the edits of the study's YAML and print them.

    Raises:
        ConfigError: If an edit cannot be applied.
    """
    for line in apply_edits(study):
        say(f"{STUDY_CONFIG}: {line}")


def confirm(
    folder: str | Path,
    trainings: int | None = None,
    rules: Sequence[str] = (),
    skip_doctor: bool = False,
    quiet: bool = False,
) -> int:
    """Train the contenders for the choices of a finished search again on fresh seeds.

    If the last confirmation was interrupted, it is continued with its own options instead.

    Args:
        folder: Folder of the study.
        trainings: Most trainings; None: as many as `search.confirm.share` of the search's epochs pays for.
        rules: Rules whose choice is confirmed; those of `search.confirm` if empty.
        skip_doctor: Whether to skip the examination of a cluster.
        quiet: Whether to print no progress.

    Returns:
        The exit code, as `search`.

    Raises:
        GroupdirError: If the folder is no study, the search has not ended, or no trial has finished.
    """
    study = Study.open(Path(folder).expanduser())
    try:
        say_edits(study)
        refuse_unfinished(study)
        dataset = prepared(study.config)
        reached(study.config)
        if not skip_doctor:
            refuse_sick(study.config, study.folder)
        if unfinished_round(study.state, study.config):
            say("an earlier confirmation was interrupted: continuing it")
        else:
            options = study.config.search.confirm or ConfirmationConfig()
            changes = {"rules": tuple(rules)} if rules else {}
            begin_round(study, options.model_copy(update=changes), trainings)
    except BaseException:
        study.close()
        raise
    return run_study(study, dataset, "confirm", quiet)


def refuse_unfinished(study: Study) -> None:
    """Refuse a study whose search has trials left.

    Raises:
        DataError: If trials of the search still have to run.
    """
    if not search_over(study.config.search, study.state):
        ended = sum(trial.status not in ("running", "paused") for trial in study.state.of("search"))
        text = f"{ended} of {study.config.search.trials} trials of the search have ended, and it must end first"
        raise DataError(f"{study.folder}: {text}: run `{next_command('resume', shown(study.folder))}`")


def warm_up(study: Study) -> None:
    """Add the trials of earlier studies to the event log, and print a line about each study."""
    known_studies = [known(folder, study.config) for folder in study.config.search.warm_start]
    if known_studies:
        study.append("warm", payload={"trials": [trial for earlier in known_studies for trial in earlier.trials]})
    for earlier in known_studies:
        say(earlier.text)


def prepared(config: StudyConfig, datasets: dict[str, Dataset] | None = None) -> Dataset:
    """Read and return the data set of the space's first corner, before any file of the study is written.

    All trials share this data set if the section `data` has no open parameter.

    Args:
        config: Configuration of the study.
        datasets: Data sets of which only the labels were read so far, by `data_key` of their options.
    """
    first = config.space.build(next(iter(config.space.corners())))
    dataset = (datasets or {}).get(data_key(first)) or make_dataset(first)
    dataset.prepare(("train", "val"))
    return dataset


def run_study(study: Study, dataset: Dataset, action: str, quiet: bool = False, again: str | None = None) -> int:
    """Run the remaining part of a study, and write its files whatever happens."""
    search = study.config.search
    interrupt = Interrupt(None if search.max_hours is None else search.max_hours * 3600)
    progress = Progress(study.config, study.state, quiet=quiet)
    problem: Problem | None = None

    def die(death: NodeError) -> None:
        """End this process, because Ray has died and the main thread may wait for it. Runs in a second thread."""
        with study.writing:  # never released: the main thread writes no event after the end of the driver
            interrupt.asked = await_signal(lambda: interrupt.signalled)
            was_asked = interrupt.asked and not is_unwritable(death)  # the signal went to Ray too
            code = FAILED
            with suppress(OSError):  # the output may be closed
                progress.stop()
                finish(study, progress.say, with_files=False)
                code = report(study, interrupt, again, None if was_asked else death)
                sys.stdout.flush()
            kill_own_ray()
            os._exit(code)

    try:
        refuse_other_owner(study)
    except BaseException:
        study.close()
        raise
    with interrupt.catch(progress.answer):
        try:
            reopened = reopen(study) if action == "resume" else []
            study.append("driver", payload={"action": action, "pid": os.getpid(), "host": os.uname().nodename})
            own(study)
            study.watchers.append(progress.watch)
            with progress:
                trials = phase_counts(study.config, study.state)[0].planned
                # launch/cluster/live.py reads this line, in which the folder is a word of a shell
                where = shlex.quote(str(shown(study.folder)))
                progress.say(f"{action} of {study.config.name} in {where}: {trials} trials")
                if reopened:
                    numbers = ", ".join(map(str, reopened))
                    progress.say(f"run again, because they failed with the same error before any epoch: {numbers}")
                for notice in study.notices:
                    progress.say(notice)
                run(study, dataset, interrupt, progress, die)
        except KeyboardInterrupt:
            interrupt.asked = True
        except (FileWriteError, NodeError) as error:
            problem = error
        finally:
            finish(study, progress.say, with_files=not interrupt.at_once and not is_unwritable(problem))
    return report(study, interrupt, again, problem)


def report(study: Study, interrupt: Interrupt, again: str | None, problem: Problem | None) -> int:
    """Print the summary of a study whose driver has ended, and return the exit code."""
    say(summary(study, interrupt, again, problem))
    if problem is not None:
        if is_unwritable(problem):
            say(str(problem), err=True)  # the summary does not name the file
        return FAILED
    if interrupt.asked:
        return INTERRUPTED
    return 0 if study.state.count("finished") or interrupt.out_of_time else FAILED


def is_unwritable(problem: Problem | None) -> bool:
    """Return whether a search has ended because a file could not be written."""
    return isinstance(problem, FileWriteError | DiskFullError)


def run(
    study: Study, dataset: Dataset, interrupt: Interrupt, progress: Progress, die: Callable[[NodeError], object]
) -> None:
    """Run the search, then the confirmation, then the ablations.

    Args:
        study: The study.
        dataset: Data set of the study.
        interrupt: Condition for an early end.
        progress: Display of the progress.
        die: Function that ends this process if Ray has died.
    """
    search, metric = study.config.search, dataset.targets.selected_by
    shared = (
        None if any(name.startswith("data.") or name == "data" for name in study.config.space.parameters) else dataset
    )
    if search_over(search, study.state) and not has_later_work(study):
        return  # before the scheduler is restored, which takes long for thousands of trials
    loop = StudyLoop(study, make_scheduler(search), metric)
    snapshots = Snapshots(study, progress.say)

    def refresh() -> None:
        progress.refresh()
        snapshots.refresh()

    screen = Screen(refresh, progress.say)
    progress.begin()
    with quiet_ray(size(dataset), interrupt, die):
        if loop.has_work():
            run_trials(study, loop, shared, interrupt, screen)
        if interrupt() or any(trial.status in ("running", "paused") for trial in study.state.of("search")):
            return
        if why := enough(search, study.state):
            progress.say(f"the search ends: {why}")
        to_the_end = make_scheduler(search.model_copy(update={"scheduler": NoStoppingConfig()}))
        if search.confirm is not None and study.state.round is None and study.state.finished("search"):
            begin_round(study, search.confirm)
        if unfinished_round(study.state, study.config):
            progress.say("confirmation: the contenders for each choice are trained again on fresh seeds")
            run_trials(study, StudyLoop(study, to_the_end, metric, "confirmation"), shared, interrupt, screen)
        if not interrupt() and suggest_ablations(study):
            run_trials(study, StudyLoop(study, to_the_end, metric, "ablation"), shared, interrupt, screen)


def has_later_work(study: Study) -> bool:
    """Return whether an ended search has a confirmation or ablations to run."""
    begins = study.config.search.confirm is not None and study.state.round is None
    confirms = begins and bool(study.state.finished("search"))
    return confirms or unfinished_round(study.state, study.config) or unfinished_ablations(study)


def size(dataset: Dataset) -> int:
    """Return the bytes of the training and validation splits, without mapped files, which are never sent."""
    splits = [dataset.split("train"), dataset.split("val")]
    arrays = [array for split in splits for array in (*split.inputs, split.y)]
    return sum(array.nbytes for array in arrays if not isinstance(array, np.memmap))
