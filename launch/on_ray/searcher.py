"""Searcher of Ray Tune that asks the study loop for the next trial."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from groupdir.config.stage import shareable
from groupdir.files.study_files import CHECKPOINT, EVENT_LOG, STORAGE_MARKER
from groupdir.node.probe import code_digest
from launch.control.study_loop import OVER, Next
from launch.on_ray.attempts import Attempts
from launch.on_ray.nodes import Nodes
from launch.on_ray.slots import Slots
from launch.study.checkpoints import located
from launch.study.study import Study


def stages_of(study: Study) -> dict[str, Any] | None:
    """Return the place of the first stages that trials share, for the trainable, or None if they share none."""
    folder = study.stages
    if folder is None:
        return None
    first = [shareable(stages) for stages in study.config.space.corner_stages]
    return {"place": str(folder), "marks": sorted({stage.epochs for stage in first if stage is not None})}


class StudySearcher(Searcher):
    """Searcher that gives the trials of a study to Ray.

    Args:
        study: The study that the trials belong to.
        following: Function that returns the number of the next trial, `WAIT` or `OVER`.
        slots: Slots of the cluster that trials run in.
        nodes: Nodes that trials run on.
        attempts: Attempts at the trials.
    """

    def __init__(
        self, study: Study, following: Callable[[], Next], slots: Slots, nodes: Nodes, attempts: Attempts
    ) -> None:
        super().__init__(metric=None, mode=None)
        self._study = study
        self._following = following
        self._slots = slots
        self._nodes, self._attempts = nodes, attempts

    def __reduce__(self) -> tuple[type[Searcher], tuple[()]]:
        """Replace the searcher in Ray's pickle, which is never read, because a screen cannot be pickled."""
        return Searcher, ()

    def set_max_concurrency(self, max_concurrent: int) -> bool:
        """Return True: `Slots` limits the number of trials instead of Ray, because the size of a cluster changes."""
        return True

    def suggest(self, trial_id: str) -> Any:
        """Return the configuration of the next trial for the trainable, None if none can start now, or FINISHED."""
        request = self._slots.take(trial_id)
        if request is None:
            return None
        number = self._following()
        self._slots.has_more(isinstance(number, int))
        if not isinstance(number, int):
            self._slots.give_back(trial_id)
            return Searcher.FINISHED if number == OVER else None
        trial = self._study.state.trials[number]
        checkpoint = None if trial.checkpoint is None else located(self._study, trial.checkpoint)
        has_checkpoint = checkpoint is not None and (checkpoint / CHECKPOINT).is_file()
        return {
            "trial": number,
            "config": dict(trial.config),
            "code": code_digest(),
            "resume": str(checkpoint) if has_checkpoint else None,
            "stages": stages_of(self._study),
            "resources": request.bundle,
            "refused": self._nodes.refused,
            "attempt": self._attempts.begin(number),
            "marker": str(self._study.storage / STORAGE_MARKER),
        }

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Free the slot of a trial. The callback records everything else."""
        self._slots.give_back(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Write a file, because Ray expects one. A new driver reads the event log instead."""
        Path(checkpoint_path).write_text(f"the state of this search is in {EVENT_LOG}\n", encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing: see `save`."""
