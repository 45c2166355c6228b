"""Which checkpoints stay on the disk: those of running trials and of the front; all others under a byte budget."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from launch.schedulers.ranking import as_costs, fronts
from launch.state import TrialState
from launch.study import Study

KEPT = "checkpoints"
FILE = "trial.pt"  # in each checkpoint's folder


def trial_name(trial: int) -> str:
    """What Ray calls a trial and its folder."""
    return f"trial-{trial:04d}"


def kept_checkpoint(study: Path, trial: int) -> Path | None:
    """The file that is kept of a finished trial of the study in a folder, or None where there is none (any more)."""
    file = study / KEPT / f"{trial:04d}" / FILE
    return file if file.is_file() else None


def keep(study: Study, trial: int) -> str:
    """Copies the last checkpoint of a trial into the study's folder, then calls the trial finished.

    The copy is made beside and renamed, and the source goes last: whenever a driver dies in between, a resume does it
    again.

    Returns:
        What a person should know, or an empty text: where there is no room for the copy, the source stays instead.
    """
    source = study.state.trials[trial].checkpoint
    if source is None or not Path(source).is_dir():
        study.append("finished", trial=trial)
        return ""
    kept = study.folder / KEPT / f"{trial:04d}"
    beside = kept.with_name(f".{kept.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        shutil.copytree(source, beside)
        shutil.rmtree(kept, ignore_errors=True)
        beside.rename(kept)
    except OSError as error:  # shutil.Error too
        shutil.rmtree(beside, ignore_errors=True)
        study.append("finished", trial=trial, payload={"checkpoint": source})
        return f"checkpoint of trial {trial} left in {source}: {str(error).splitlines()[0]}"
    study.append("finished", trial=trial, payload={"checkpoint": str(kept)})
    remove(study, trial)
    return ""


def remove(study: Study, trial: int) -> None:
    """Deletes the checkpoints of a trial that nobody goes on with: Ray keeps one of each trial and driver.

    Not before the trial has ended: when its worker dies, Ray sets it up anew from the checkpoint it was resumed from.
    """
    for name in (trial_name(trial), f"{trial_name(trial)}_*"):  # one that was promoted gets a folder with a suffix
        for folder in study.ray_folder.glob(f"run-*/{name}/checkpoint_*"):
            shutil.rmtree(folder, ignore_errors=True)


def sweep(study: Study) -> None:
    """Deletes what is left of trials that have ended: those that were paused for good, or whose driver died first."""
    for folder in study.ray_folder.glob("run-*/trial-*/checkpoint_*"):
        trial = study.state.trials.get(int(folder.parent.name.removeprefix("trial-").partition("_")[0]))
        ended = trial is not None and trial.status in ("finished", "stopped", "failed")
        if trial is not None and ended and trial.checkpoint != str(folder):
            shutil.rmtree(folder, ignore_errors=True)


def fit_budget(study: Study) -> list[str]:
    """Deletes kept checkpoints of the worst trials until the rest fits `search.checkpoint_budget`.

    Those on the front of the finished trials stay in any case; of the others the worst front goes first, and of one
    front the oldest. The configuration of a trial stays in the study, so that it can be trained again.

    Returns:
        What a person should know: what was deleted, and that even the front does not fit.
    """
    budget = study.config.search.checkpoint_budget
    if budget is None:
        return []
    said = []
    sizes = {trial.number: size for trial in study.state.trials.values() if (size := kept_bytes(study, trial))}
    total = sum(sizes.values())
    for number in _expendable(study):
        if total <= int(budget):
            break
        if number in sizes:
            shutil.rmtree(study.folder / KEPT / f"{number:04d}", ignore_errors=True)
            total -= sizes[number]
            said.append(
                f"checkpoint of trial {number} deleted: it is not on the front, and the budget is {budget:,} bytes"
            )
    if total > int(budget):
        said.append(
            f"the checkpoints of the front take {total:,} bytes, more than the budget of {budget:,}: kept all the same"
        )
    return said


def free_space_warning(study: Study) -> str:
    """What to say where the disk could not take two more checkpoints, or an empty text."""
    largest = max((kept_bytes(study, trial) for trial in study.state.trials.values()), default=0)
    folder = study.ray_folder if study.ray_folder.is_dir() else study.folder
    free = shutil.disk_usage(folder).free
    if not largest or free >= 2 * largest:
        return ""
    return f"{folder}: {free:,} bytes are free, a checkpoint takes {largest:,}: make room, or set checkpoint_budget"


def kept_bytes(study: Study, trial: TrialState) -> int:
    """What a trial's kept checkpoint takes, 0 where there is none."""
    folder = study.folder / KEPT / f"{trial.number:04d}"
    return sum(path.stat().st_size for path in _files(folder)) if folder.is_dir() else 0


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent) / name for name in names)


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
