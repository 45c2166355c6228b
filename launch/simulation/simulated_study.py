"""Production study loop over a study in memory, for the simulated clock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from groupdir.config.schedulers import NoStoppingConfig
from groupdir.config.space import StudyConfig
from groupdir.config.stage import Stage, shareable
from groupdir.config.trial import TrialConfig
from groupdir.study.events import Kind
from launch.control.confirmation import begin_round
from launch.control.study_loop import OVER, Next, StudyLoop
from launch.schedulers import Scheduler, make_scheduler
from launch.schedulers.base import Action
from launch.simulation.surrogate import Rows
from launch.study.memory_store import MemoryStore
from launch.study.study import Journal, Study

ENDS: dict[str, Kind] = {"finished": "finished", "stopped": "stopped", "paused": "paused", "failed": "failed"}


class SimulatedStudy:
    """Study that writes events, decides and suggests like a real one.

    Args:
        config: Configuration of the study.
        metric: Name of the metric whose lowest value selects a trial's epoch.
        store: Event log; by default a new one in memory.
        make: Function that makes the scheduler; by default the scheduler of the configuration.
        checkpoint_every: Epochs between checkpoints.
    """

    def __init__(
        self,
        config: StudyConfig,
        metric: str = "val_mae_all",
        store: Journal | None = None,
        make: Callable[[], Scheduler] | None = None,
        checkpoint_every: int = 5,
    ) -> None:
        search = config.search
        self._store: Journal = store or MemoryStore(lambda: 0.0)
        self._make = make or (lambda: make_scheduler(search))
        self._config, self._metric, self._every = config, metric, checkpoint_every
        self.restart(())

    def restart(self, running: Collection[int]) -> None:
        """Open the study again from its event log alone. Trials that still run on workers are not started again."""
        self._confirms = False
        self.study = Study(Path("simulated"), self._config, self._store, None)
        self.loop = StudyLoop(self.study, self._make(), self._metric, running=running)
        if not self.loop.has_work():
            self._confirm(running)

    def following(self) -> Next:
        """Return the next trial of the search, and after the search of the confirmation. See `StudyLoop.following`."""
        number = self.loop.following()
        if number == OVER and not self._confirms and self._confirm(()):
            return self.loop.following()
        return number

    def _confirm(self, running: Collection[int]) -> bool:
        """Begin or continue the confirmation of an ended search. Return whether the study has one."""
        options = self._config.search.confirm
        if options is None or not self.study.state.finished("search"):
            return False
        if self.study.state.round is None:
            begin_round(self.study, options)
        to_the_end = make_scheduler(self._config.search.model_copy(update={"scheduler": NoStoppingConfig()}))
        self.loop = StudyLoop(self.study, to_the_end, self._metric, "confirmation", running)
        self._confirms = True
        return True

    def params(self, trial: int) -> Mapping[str, Any]:
        """Return the parameters of a trial."""
        return self.study.state.trials[trial].params

    def seed(self, trial: int) -> int:
        """Return the training seed of a trial."""
        return self.study.state.trials[trial].seed

    def whole(self, trial: int, rows: Rows) -> Rows:
        """Return the rows of all epochs of a trial, in the order of its stages.

        Args:
            trial: Number of the trial.
            rows: Recorded rows of the epochs that predict. An epoch of another stage takes as long as the first of
                these.
        """
        return staged(self._stages(trial), rows)

    def start(self, trial: int) -> int:
        """Start a trial on a worker and return the epoch of its last checkpoint.

        If the study shares first stages, the trial starts after its first stage. The simulator does not count the
        trial that trains the stage for the others.
        """
        self.study.append("started", trial=trial)
        first = shareable(self._stages(trial)) if self._config.search.share_stages else None
        return max(self.study.state.trials[trial].checkpoint_epoch, first.epochs if first else 0)

    def _stages(self, trial: int) -> tuple[Stage, ...]:
        return TrialConfig.from_dict(self.study.state.trials[trial].config, f"trial {trial}").stages

    def report(self, trial: int, row: Mapping[str, Any]) -> Action:
        """Report the row of an epoch and write a checkpoint if one is due. See `StudyLoop.report`."""
        action = self.loop.report(trial, row)
        epoch = int(row["epoch"])
        if action != "stop" and (epoch % self._every == 0 or row["done"] or action == "pause"):
            self.study.append("checkpoint", trial=trial, epoch=epoch, payload={"path": f"trial-{trial:04d}"})
        return action

    def end(self, trial: int, how: str, epoch: int) -> None:
        """End a trial at an epoch as "finished", "stopped", "paused" or "failed"."""
        payload = {"message": "the worker died too often"} if how == "failed" else {"checkpoint": None}
        self.study.append(ENDS[how], trial=trial, epoch=epoch, payload=payload)


def staged(stages: Sequence[Stage], rows: Rows) -> Rows:
    """Return the rows of a whole training: the given rows in stages that predict, rows without metrics elsewhere.

    The last stage that predicts gets all remaining rows because the nearest recorded training may differ in length.
    """
    final = max(index for index, stage in enumerate(stages) if stage.predicts)
    whole: list[Mapping[str, Any]] = []
    fidelity = 0
    for index, stage in enumerate(stages):
        epochs = len(rows) - fidelity if index == final else stage.epochs
        for stage_epoch in range(1, epochs + 1):
            fidelity += stage.predicts
            place = {"stage": stage.name, "stage_epoch": stage_epoch, "predicts": stage.predicts, "fidelity": fidelity}
            whole.append({**(rows[fidelity - 1] if stage.predicts else {"seconds": rows[0]["seconds"]}), **place})
    return whole
