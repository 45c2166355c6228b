"""Checkpoints of a study: running trials and the front keep theirs, the others only within a byte budget."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Iterator

import numpy as np

from groupdir.errors import FileWriteError
from groupdir.files.storage import Place
from groupdir.files.study_files import CHECKPOINT, CHECKPOINTS, RUN_PREFIX, trial_folder
from groupdir.files.write_whole import discard_partials, whole_folder
from launch.pareto import as_costs, fronts
from launch.study.study import Study


def trial_name(trial: int) -> str:
    """Return the name that a trial and its folder have in Ray."""
    return f"trial-{trial:04d}"


def kept_place(study: Study) -> Place:
    """Return the place of the checkpoints of finished trials: in the study's folder or in its object store."""
    return Place(str(study.folder)) / CHECKPOINTS if study.storage.path is not None else study.storage / CHECKPOINTS


def recorded(study: Study, place: Place) -> str:
    """Return the text that the event log holds for a checkpoint: its path inside the study or its storage.

    A study that is moved, copied, or reached through a link finds its checkpoints by it.
    """
    for base in (kept_place(study).base.removesuffix(CHECKPOINTS), study.storage.base + "/"):
        if place.base.startswith(base):
            return place.base.removeprefix(base)
    return str(place)


def located(study: Study, text: str) -> Place:
    """Return the place of a checkpoint that the event log names. Older versions have recorded whole paths."""
    parts = text.partition("?")[0].split("/")
    if parts[-2:-1] == [CHECKPOINTS]:
        return kept_place(study) / parts[-1]
    if len(parts) >= 3 and parts[-3].startswith(RUN_PREFIX):
        return study.storage / "/".join(parts[-3:])
    return Place.at(text)


def keep(study: Study, trial: int) -> str:
    """Copy the last checkpoint of a trial to the kept checkpoints, then record the trial as finished.

    The copy is complete before the event is written, and the source is deleted last. If a driver dies in between, a
    resume repeats the remaining steps. If the copy fails, for example on a full disk, the source stays instead.

    Returns:
        A warning for the user, or an empty text.
    """
    text = study.state.trials[trial].checkpoint
    source = None if text is None else located(study, text)
    kept = kept_place(study) / trial_folder(trial)
    try:
        if source is None or not (source / CHECKPOINT).is_file():
            study.append("finished", trial=trial)
            return ""
        _copy(source, kept)
    except (OSError, FileWriteError) as error:  # shutil.Error is an OSError
        study.append("finished", trial=trial, payload={"checkpoint": text})
        reason = str(error).splitlines()[0]
        return f"the checkpoint of trial {trial} stays in {source}, because it cannot be copied: {reason}"
    study.append("finished", trial=trial, payload={"checkpoint": recorded(study, kept)})
    return remove(study, trial)


def _copy(source: Place, target: Place) -> None:
    """Copy a folder. On a disk, the copy appears completely or not at all."""
    if target.path is None or source.path is None:
        target.put(source)
        return
    discard_partials(target.path)  # the study's lock excludes other drivers
    with whole_folder(target.path, replace=True) as partial:
        shutil.copytree(source.path, partial, dirs_exist_ok=True)


def remove(study: Study, trial: int) -> str:
    """Delete the checkpoints that Ray has written of an ended trial. Ray keeps one for each trial and driver.

    Call this function only after the trial has ended. If a worker dies, Ray restarts its trial from the checkpoint that
    the trial was resumed from.

    Returns:
        A warning for the user, or an empty text.
    """
    return _delete(folder for _, folder in _ray_checkpoints(study, {trial}))


def sweep(study: Study) -> str:
    """Delete the checkpoints that Ray has written of all ended trials.

    Some remain if a trial ended while it was paused, or if the driver died before it could delete them.

    Returns:
        A warning for the user, or an empty text.
    """
    ended = {
        trial.number: None if trial.checkpoint is None else located(study, trial.checkpoint)
        for trial in study.state.trials.values()
        if trial.status in ("finished", "stopped", "failed")
    }
    return _delete(folder for number, folder in _ray_checkpoints(study, set(ended)) if folder != ended[number])


def _ray_checkpoints(study: Study, trials: Collection[int]) -> Iterator[tuple[int, Place]]:
    """Yield trial number and folder of each checkpoint that Ray has written of the given trials.

    A promoted trial has further folders, whose names have a suffix.
    """
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
        return f"checkpoints of ended trials cannot be deleted: {str(error).splitlines()[0]}"
    return ""


def fit_budget(study: Study) -> list[str]:
    """Delete kept checkpoints of the worst trials until the remaining ones fit `search.checkpoint_budget`.

    The checkpoints of trials on the front are never deleted. Of the others, those on the worst front are deleted first,
    and on the same front the oldest first. Then come the confirmations and ablations, the oldest first. The
    configuration of a trial stays in the study, so that the trial can be trained again.

    Returns:
        Messages for the user: which checkpoints were deleted, and whether the front alone exceeds the budget.
    """
    budget = study.config.search.checkpoint_budget
    try:
        return [] if budget is None else _fit(study, int(budget))
    except OSError as error:
        return [f"search.checkpoint_budget cannot be enforced: {str(error).splitlines()[0]}"]


def _fit(study: Study, budget: int) -> list[str]:
    messages = []
    kept = kept_place(study)
    sizes = kept_bytes(study)
    total = sum(sizes.values())
    for number in _expendable(study):
        if total <= budget:
            break
        if number in sizes:
            (kept / trial_folder(number)).remove()
            total -= sizes[number]
            messages.append(
                f"deleted the checkpoint of trial {number}: it is not on the front, and the budget is {budget:,} bytes"
            )
    if total > budget:
        messages.append(
            f"the checkpoints of the front take {total:,} bytes and are kept, although the budget is {budget:,} bytes"
        )
    return messages


def free_space_warning(study: Study) -> str:
    """Return a warning if the disk has no room for two more checkpoints, else an empty text."""
    folder = study.storage.path
    if folder is None:
        return ""
    largest = max(kept_bytes(study).values(), default=0)
    folder = folder if folder.is_dir() else study.folder
    free = shutil.disk_usage(folder).free
    if not largest or free >= 2 * largest:
        return ""
    return f"{folder}: {free:,} bytes are free, a checkpoint takes {largest:,}: free space or set checkpoint_budget"


def kept_bytes(study: Study) -> dict[int, int]:
    """Return the size in bytes of the kept checkpoint of each trial that has one."""
    sizes = kept_place(study).sizes()
    return {int(name): size for name, size in sizes.items() if name.isdigit()}


def _expendable(study: Study) -> list[int]:
    """Return the finished trials that are not on the front, in the order in which their checkpoints are deleted."""
    objectives, done = study.config.search.objectives, study.state.finished("search")
    if not done:
        return []
    costs = as_costs([[trial.value(name) for name in objectives] for trial in done], list(objectives.values()))
    index = fronts(costs)
    best = index.min()
    order = np.lexsort((np.arange(len(done)), -index))
    later = [trial for trial in study.state.trials.values() if trial.role != "search" and trial.status == "finished"]
    return [done[place].number for place in order if index[place] > best] + [trial.number for trial in later]
