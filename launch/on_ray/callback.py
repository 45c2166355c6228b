"""What Ray calls back: starts, last epochs, checkpoints and ends of trials, into the store."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from ray.tune import Callback

from groupdir.errors import NodeError
from launch.on_ray.failures import cause_of, reason
from launch.study.checkpoints import fit_budget, free_space_warning, keep, remove

if TYPE_CHECKING:
    from collections.abc import Callable

    from ray.tune import Checkpoint
    from ray.tune.experiment import Trial

    from launch.control.study_loop import StudyLoop
    from launch.study.study import Study


class Recorder(Callback):
    """Writes what happens to trials.

    Args:
        study: Where to.
        loop: Who decides.
        every_step: Called several times a second, for the screen.
        say: Tells the person something.

    Attributes:
        refused: Why the search must end: a node with another groupdir, or with a full disk, would fail one trial after
            the other.
    """

    def __init__(
        self, study: Study, loop: StudyLoop, every_step: Callable[[], None], say: Callable[[str], None]
    ) -> None:
        self._study = study
        self._loop = loop
        self._every_step = every_step
        self._say = say
        self._said: set[str] = set()
        self.refused: NodeError | None = None

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
        self._loop.record(number(trial), result)

    def on_checkpoint(
        self, iteration: int, trials: list[Trial], trial: Trial, checkpoint: Checkpoint, **info: Any
    ) -> None:
        """Where a resume goes on from."""
        epoch = int((trial.last_result or {}).get("epoch", 0))
        path = checkpoint.path
        if self._study.storage.path is None:  # Ray's path in an object store lacks what leads to it
            path = str(self._study.storage / "/".join(PurePosixPath(path).parts[-3:]))
        self._study.append("checkpoint", trial=number(trial), epoch=epoch, payload={"path": path})

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Finished, stopped or paused by the scheduler, or only interrupted: then it is still to be gone on with."""
        state = self._study.state.trials[number(trial)]
        if state.status != "running":
            return
        if state.complete and int((trial.last_result or {}).get("epoch", 0)) < state.epoch:
            return  # interrupted as it came once more to its last epoch, of which there is no checkpoint yet
        if state.complete:
            self._watch_disk(keep(self._study, state.number))
        elif state.told_to_stop:
            self._study.append("stopped", trial=state.number)
            self._tell(remove(self._study, state.number))
        elif state.told_to_pause:
            self._study.append("paused", trial=state.number)

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """It failed, and is tried again."""
        cause = cause_of(trial)
        if isinstance(cause, NodeError):
            self.refused = cause

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """It is lost, after all its tries; or its node is refused, and it is still to be gone on with."""
        state, cause = self._study.state.trials[number(trial)], cause_of(trial)
        if isinstance(cause, NodeError):
            self.refused = cause
            return
        payload = {"message": reason(cause or RuntimeError("unknown"))}
        self._study.append("failed", trial=state.number, payload=payload)
        self._tell(remove(self._study, state.number))

    def _watch_disk(self, of_copy: str) -> None:
        """Keeps to the budget of checkpoints."""
        for text in [of_copy, *fit_budget(self._study), free_space_warning(self._study)]:
            self._tell(text)

    def _tell(self, text: str) -> None:
        """Says a thing once."""
        if text and text not in self._said:
            self._said.add(text)
            self._say(text)


def number(trial: Trial) -> int:
    """Our number of Ray's trial."""
    return int(trial.config["trial"])
