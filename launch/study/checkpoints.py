"""Which checkpoints stay: those of running trials and of the front; all others under a byte budget."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import numpy as np

from groupdir.errors import FileWriteError
from groupdir.files.storage import Place
from groupdir.files.study_files import CHECKPOINT, CHECKPOINTS, trial_folder
from groupdir.files.write_whole import discard_partials, whole_folder
from launch.pareto import as_costs, fronts
from launch.study.study import Study


def trial_name(trial: int) -> str:
    """What Ray calls a trial and its folder."""
    return f"trial-{trial:04d}"


def kept_place(study: Study) -> Place:
    """Where checkpoints of finished trials are kept: in the study's folder, or in its object store."""
    return Place(str(study.folder)) / CHECKPOINTS if study.storage.path is not None else study.storage / CHECKPOINTS


def kept_checkpoint(study: Path, trial: int, storage: Place | None = None) -> Path | None:
    """The file that is kept of a finished trial, or None where there is none (any more).

    Args:
        study: The study's folder.
        trial: The trial's number.
        storage: The study's place in an object store, if it has one: the file is fetched from there.
    """
    file = study / CHECKPOINTS / trial_folder(trial) / CHECKPOINT
    if storage is not None and storage.path is None and not file.is_file():
        there = storage / CHECKPOINTS / trial_folder(trial)
        if (there / CHECKPOINT).is_file():
            there.fetch(file.parent)
    return file if file.is_file() else None


def keep(study: Study, trial: int) -> str:
    """Copies the last checkpoint of a trial to where they are kept, then calls the trial finished.

    The copy is whole before it is recorded, and the source goes last: whenever a driver dies in between, a resume does
    it again.

    Returns:
        What a person should know, or an empty text: where there is no room for the copy, the source stays instead.
    """
    source = study.state.trials[trial].checkpoint
    kept = kept_place(study) / trial_folder(trial)
    try:
        if source is None or not (Place.at(source) / CHECKPOINT).is_file():
            study.append("finished", trial=trial)
            return ""
        _copy(Place.at(source), kept)
    except (OSError, FileWriteError) as error:  # shutil.Error is an OSError
        study.append("finished", trial=trial, payload={"checkpoint": source})
        return f"checkpoint of trial {trial} left in {source}: {str(error).splitlines()[0]}"
    study.append("finished", trial=trial, payload={"checkpoint": str(kept)})
    return remove(study, trial)


def _copy(source: Place, target: Place) -> None:
    """Copy a folder. On a disk, the copy appears whole or not at all."""
    if target.path is None or source.path is None:
        target.put(source)
        return
    discard_partials(target.path)  # the study's lock excludes other drivers
    with whole_folder(target.path, replace=True) as partial:
        shutil.copytree(source.path, partial, dirs_exist_ok=True)


def remove(study: Study, trial: int) -> str:
    """Deletes the checkpoints of a trial that nobody goes on with: Ray keeps one of each trial and driver.

    Not before the trial has ended: when its worker dies, Ray sets it up anew from the checkpoint it was resumed from.

    Returns:
        What a person should know, or an empty text.
    """
    return _delete(folder for _, folder in _of_ray(study, {trial}))


def sweep(study: Study) -> str:
    """Deletes what is left of trials that have ended: those that were paused for good, or whose driver died first.

    Returns:
        What a person should know, or an empty text.
    """
    ended = {
        trial.number: trial.checkpoint
        for trial in study.state.trials.values()
        if trial.status in ("finished", "stopped", "failed")
    }
    return _delete(folder for number, folder in _of_ray(study, set(ended)) if str(folder) != ended[number])


def _of_ray(study: Study, trials: Collection[int]) -> Iterator[tuple[int, Place]]:
    """The checkpoints that Ray has written of some trials; one that was promoted has folders with a suffix too."""
    for run in study.runs():
        for name in run.names():
            digits = name.removeprefix("trial-").partition("_")[0]
            if name.startswith("trial-") and digits.isdigit() and int(digits) in trials:
                checkpoints = run / name
                for inner in checkpoints.names():
                    if inner.startswith("checkpoint_"):
                        yield int(digits), checkpoints / inner


def _delete(folders: Iterable[Place]) -> str:
    try:
        for folder in folders:
            folder.remove()
    except OSError as error:
        return f"checkpoints of trials that have ended are left: {str(error).splitlines()[0]}"
    return ""


def fit_budget(study: Study) -> list[str]:
    """Deletes kept checkpoints of the worst trials until the rest fits `search.checkpoint_budget`.

    Those on the front of the finished trials stay in any case; of the others the worst front goes first, and of one
    front the oldest. The configuration of a trial stays in the study, so that it can be trained again.

    Returns:
        What a person should know: what was deleted, and that even the front does not fit.
    """
    budget = study.config.search.checkpoint_budget
    try:
        return [] if budget is None else _fit(study, int(budget))
    except OSError as error:
        return [f"checkpoints could not be brought under the budget: {str(error).splitlines()[0]}"]


def _fit(study: Study, budget: int) -> list[str]:
    said = []
    kept = kept_place(study)
    sizes = kept_bytes(study)
    total = sum(sizes.values())
    for number in _expendable(study):
        if total <= budget:
            break
        if number in sizes:
            (kept / trial_folder(number)).remove()
            total -= sizes[number]
            said.append(
                f"checkpoint of trial {number} deleted: it is not on the front, and the budget is {budget:,} bytes"
            )
    if total > budget:
        said.append(
            f"the checkpoints of the front take {total:,} bytes, more than the budget of {budget:,}: kept all the same"
        )
    return said


def free_space_warning(study: Study) -> str:
    """What to say where the disk could not take two more checkpoints, or an empty text."""
    folder = study.storage.path
    if folder is None:
        return ""
    largest = max(kept_bytes(study).values(), default=0)
    folder = folder if folder.is_dir() else study.folder
    free = shutil.disk_usage(folder).free
    if not largest or free >= 2 * largest:
        return ""
    return f"{folder}: {free:,} bytes are free, a checkpoint takes {largest:,}: make room, or set checkpoint_budget"


def kept_bytes(study: Study) -> dict[int, int]:
    """What the kept checkpoint of each trial takes, of those that have one."""
    sizes = kept_place(study).sizes()
    return {int(name): size for name, size in sizes.items() if name.isdigit()}


def _expendable(study: Study) -> list[int]:
    """The finished trials that are not on the front, the first to go first."""
    objectives = study.config.search.objectives
    done = [trial for trial in study.state.of("search") if trial.status == "finished"]
    if not done:
        return []
    costs = as_costs([[trial.value(name) for name in objectives] for trial in done], list(objectives.values()))
    index = fronts(costs)
    best = index.min()
    order = np.lexsort((np.arange(len(done)), -index))
    return [done[place].number for place in order if index[place] > best]
