"""The production loop over a study in memory, for a simulated clock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from groupdir.config.space import StudyConfig
from groupdir.study.store import Kind
from launch.control.study_loop import Next, StudyLoop
from launch.schedulers import SCHEDULERS, Scheduler
from launch.schedulers.base import Action
from launch.study.memory_store import MemoryStore
from launch.study.study import Journal, Study

ENDS: dict[str, Kind] = {"finished": "finished", "stopped": "stopped", "paused": "paused", "failed": "failed"}


class SimulatedStudy:
    """A study that writes, decides and suggests as a real one does.

    Args:
        config: The study's; its `search:` section says how.
        metric: The one whose lowest value selects a trial's epoch.
        store: Where events go; by default a new one in memory.
        make_scheduler: Makes the scheduler; by default the one that the configuration names.
        checkpoint_every: Epochs between checkpoints.
    """

    def __init__(
        self,
        config: StudyConfig,
        metric: str = "val_mae_all",
        store: Journal | None = None,
        make_scheduler: Callable[[], Scheduler] | None = None,
        checkpoint_every: int = 5,
    ) -> None:
        search = config.search
        self._store: Journal = store or MemoryStore(lambda: 0.0)
        self._make = make_scheduler or (lambda: SCHEDULERS[search.scheduler.name].from_config(search))
        self._config, self._metric, self._every = config, metric, checkpoint_every
        self.restart(())

    def restart(self, running: Collection[int]) -> None:
        """Takes over from what is in the store alone; trials that workers go on with are not handed out again."""
        self.study = Study(Path("simulated"), self._config, self._store, None)
        self.loop = StudyLoop(self.study, self._make(), self._metric, running=running, last_stage_only=True)

    def following(self) -> Next:
        """See `StudyLoop.following`."""
        return self.loop.following()

    def params(self, trial: int) -> Mapping[str, Any]:
        """Parameters of a trial."""
        return self.study.state.trials[trial].params

    def start(self, trial: int) -> int:
        """A worker has it; it goes on from its last checkpoint."""
        self.study.append("started", trial=trial)
        return self.study.state.trials[trial].checkpoint_epoch

    def report(self, trial: int, row: Mapping[str, Any]) -> Action:
        """See `StudyLoop.report`."""
        action = self.loop.report(trial, row)
        epoch = int(row["epoch"])
        if action != "stop" and (epoch % self._every == 0 or row["done"] or action == "pause"):
            self.study.append("checkpoint", trial=trial, epoch=epoch, payload={"path": f"trial-{trial:04d}"})
        return action

    def end(self, trial: int, how: str, epoch: int) -> None:
        """A worker let go of it."""
        payload = {"message": "its worker died too often"} if how == "failed" else {"checkpoint": None}
        self.study.append(ENDS[how], trial=trial, epoch=epoch, payload=payload)
