"""What Ray calls back: starts, last epochs, checkpoints and ends of trials, into the store."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray.exceptions import RayTaskError
from ray.tune import Callback

from groupdir.errors import GroupdirError
from launch.schedulers.recording import record_epoch
from launch.study import Study

if TYPE_CHECKING:
    from collections.abc import Callable

    from ray.tune import Checkpoint
    from ray.tune.experiment import Trial

CHECKPOINTS = "checkpoints"


class Recorder(Callback):
    """Writes what happens to trials.

    Args:
        study: Where to.
        every_step: Called several times a second, for the screen.
    """

    def __init__(self, study: Study, every_step: Callable[[], None]) -> None:
        self._study = study
        self._every_step = every_step

    def __reduce__(self) -> tuple[type[Callback], tuple[()]]:
        """Ray pickles its callbacks into a file that nothing here reads; a screen cannot be pickled."""
        return Callback, ()

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Lets the screen follow."""
        self._every_step()

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A worker has it."""
        self._study.append("started", trial=number(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Ray asks no scheduler about a last epoch, so that this is where it is written; others are there already."""
        record_epoch(self._study, result)

    def on_checkpoint(
        self, iteration: int, trials: list[Trial], trial: Trial, checkpoint: Checkpoint, **info: Any
    ) -> None:
        """Where a resume goes on from."""
        epoch = int((trial.last_result or {}).get("epoch", 0))
        self._study.append("checkpoint", trial=number(trial), epoch=epoch, payload={"path": str(checkpoint.path)})

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Finished, stopped by the scheduler, or only interrupted: then it is still to be gone on with."""
        state = self._study.state.trials[number(trial)]
        if state.status != "running":
            return
        if state.complete:
            finish(self._study, state.number)
        elif state.told_to_stop:
            self._study.append("stopped", trial=state.number)
            remove_checkpoints(self._study, state.number)

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """It is lost, after all its tries."""
        state = self._study.state.trials[number(trial)]
        payload = {"message": reason(trial.get_pickled_error() or RuntimeError(trial.get_error() or "unknown"))}
        self._study.append("failed", trial=state.number, payload=payload)
        remove_checkpoints(self._study, state.number)


def number(trial: Trial) -> int:
    """Our number of Ray's trial."""
    return int(trial.config["trial"])


def finish(study: Study, trial: int) -> None:
    """Keeps the last checkpoint of a trial in the study's folder, then calls it finished.

    The copy is made beside and renamed, and the source goes last: whenever a driver dies in between, a resume does it
    again.
    """
    source = study.state.trials[trial].checkpoint
    if source is None or not Path(source).is_dir():
        study.append("finished", trial=trial)
        return
    kept = study.folder / CHECKPOINTS / f"{trial:04d}"
    beside = kept.with_name(f".{kept.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(source, beside)
    shutil.rmtree(kept, ignore_errors=True)
    beside.rename(kept)
    study.append("finished", trial=trial, payload={"checkpoint": str(kept)})
    remove_checkpoints(study, trial)


def remove_checkpoints(study: Study, trial: int) -> None:
    """Deletes the checkpoints of a trial that nobody goes on with: Ray keeps one of each trial and driver.

    Not before the trial has ended: when its worker dies, Ray sets it up anew from the checkpoint it was resumed from.
    """
    for folder in study.ray_folder.glob(f"run-*/{trial_name(trial)}/checkpoint_*"):
        shutil.rmtree(folder, ignore_errors=True)


def trial_name(trial: int) -> str:
    """What Ray calls a trial and its folder."""
    return f"trial-{trial:04d}"


def reason(error: BaseException) -> str:
    """One line that says why a trial failed."""
    cause = getattr(error, "cause", None) if isinstance(error, RayTaskError) else None
    found = cause or error
    lines = [line for line in str(found).strip().splitlines() if line.strip()] or ["no message"]
    text = lines[0] if isinstance(found, GroupdirError) else f"{type(found).__name__}: {lines[-1]}"
    return text.strip()
