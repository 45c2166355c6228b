"""Callback of Ray Tune that writes starts, last epochs, checkpoints and ends of trials to the event log."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from ray.tune import Callback

from groupdir.errors import NodeError, StorageLostError
from launch.on_ray.death import await_signal, death_here, ray_died
from launch.on_ray.failures import cause_of, lost_its_process, machine_failure, reason
from launch.on_ray.silence import Silence
from launch.on_ray.trial_number import number
from launch.study.checkpoints import fit_budget, free_space_warning, keep, recorded, remove

if TYPE_CHECKING:
    from collections.abc import Callable

    from ray.tune import Checkpoint
    from ray.tune.experiment import Trial

    from launch.control.study_loop import StudyLoop
    from launch.on_ray.nodes import Nodes
    from launch.on_ray.slots import Slots
    from launch.study.study import Study


class Recorder(Callback):
    """Callback that writes the events of trials to the event log of a study.

    Args:
        study: The study.
        loop: Study loop of the current phase.
        nodes: Nodes that trials run on.
        slots: Slots of the cluster that trials run in.
        every_step: Function that is called several times a second, to refresh the screen.
        say: Function that prints a line.
        ray_file: File in Ray's temporary folder on this machine, or None if a cluster runs the trials.
        signalled: Function that returns whether a signal has asked the driver to end.

    Attributes:
        refused: Error that must end the search, or None. A node with another version of groupdir, a full disk or
            without Ray's temporary folder would fail one trial after the other.
    """

    def __init__(
        self,
        study: Study,
        loop: StudyLoop,
        nodes: Nodes,
        slots: Slots,
        every_step: Callable[[], None],
        say: Callable[[str], None],
        ray_file: Path | None = None,
        signalled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._study = study
        self._loop = loop
        self._nodes = nodes
        self._slots = slots
        self._every_step = every_step
        self._say = say
        self._ray_file = [] if ray_file is None else [ray_file]
        self._signalled = signalled
        self._printed: set[str] = set()
        self._silence = Silence()
        self.refused: NodeError | None = None

    def __reduce__(self) -> tuple[type[Callback], tuple[()]]:
        """Replace the callback in Ray's pickle, which is never read, because a screen cannot be pickled."""
        return Callback, ()

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        """Refresh the screen, and print a line about each trial that has become silent."""
        self._every_step()
        for text in self._silence.messages():
            self._say(text)

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Record that a worker has started a trial, and say if the trial has moved to another node."""
        state = self._study.state.trials[number(trial)]
        self._silence.heard(state.number)
        self._slots.started(trial.trial_id)
        before, now = self._nodes.begin(state.number, trial)
        self._study.append("started", trial=state.number, payload={"node": str(now)})
        if before is not None and before.node != now.node:
            epoch = state.checkpoint_epoch
            where = f"continues after epoch {epoch}" if epoch else "starts from the beginning"
            self._say(f"trial {state.number} moved from {before} to {now} and {where}")

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """Record the last epoch of a trial, which Ray does not pass to the scheduler.

        The scheduler has already recorded any earlier epoch.
        """
        self._silence.heard(number(trial), result)
        self._loop.record(number(trial), result)

    def on_checkpoint(
        self, iteration: int, trials: list[Trial], trial: Trial, checkpoint: Checkpoint, **info: Any
    ) -> None:
        """Record the checkpoint that a resume continues from."""
        epoch = int((trial.last_result or {}).get("epoch", 0))
        place = self._study.storage / "/".join(PurePosixPath(checkpoint.path).parts[-3:])
        payload = {"path": recorded(self._study, place)}
        self._study.append("checkpoint", trial=number(trial), epoch=epoch, payload=payload)

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Record that a trial has finished, stopped or paused. An interrupted trial stays open for a resume."""
        state = self._study.state.trials[number(trial)]
        self._nodes.end(state.number)
        self._silence.ended(state.number)
        if state.status != "running":
            return
        if state.complete and int((trial.last_result or {}).get("epoch", 0)) < state.epoch:
            return  # interrupted while it repeated epochs: its last epoch has no checkpoint yet
        if state.complete:
            self._watch_disk(keep(self._study, state.number))
        elif state.stop_decided:
            self._study.append("stopped", trial=state.number)
            self._say_once(remove(self._study, state.number))
        elif state.pause_decided:
            self._study.append("paused", trial=state.number)

    def on_trial_recover(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """End the search if a trial failed because of a machine. Otherwise Ray retries the trial.

        A node that lost the storage does not end the search: its trials continue on other nodes, or wait.
        """
        cause = cause_of(trial)
        if not isinstance(cause, StorageLostError):
            self.refused = self._machine_failure(cause) or self.refused

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Record a trial that failed for good. If a machine failed, end the search and leave the trial open.

        A trial stays open too if a signal has ended its process together with the driver.
        """
        state, cause = self._study.state.trials[number(trial)], cause_of(trial)
        self._silence.ended(state.number)
        if lost_its_process(cause) and await_signal(self._signalled):
            return
        if (failure := self._machine_failure(cause)) is not None:
            self.refused = self.refused or failure
            return
        payload = {"message": reason(cause or RuntimeError("unknown"))}
        self._study.append("failed", trial=state.number, payload=payload)
        self._say_once(remove(self._study, state.number))

    @property
    def places(self) -> list[Path]:
        """Files and folders of this machine that trials need."""
        storage = self._study.storage.path  # Ray creates this folder; its parent must exist
        return [self._study.folder, *([] if storage is None else [storage.parent]), *self._ray_file]

    def _machine_failure(self, cause: BaseException | None) -> NodeError | None:
        """Return the error of the machine that made a trial fail, or None if the trial itself failed."""
        if why := death_here():
            return ray_died(why)
        return machine_failure(cause, self.places)

    def _watch_disk(self, warning: str) -> None:
        """Keep the checkpoints within their budget, and print warnings about the disk, the given one first."""
        for text in [warning, *fit_budget(self._study), free_space_warning(self._study)]:
            self._say_once(text)

    def _say_once(self, text: str) -> None:
        """Print a line, unless it is empty or was printed before."""
        if text and text not in self._printed:
            self._printed.add(text)
            self._say(text)
