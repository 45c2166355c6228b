"""Base of the tools that we compare with: trials, their reports, and what a tool is told about a finished training."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import Any

from groupdir.config.space import StudyConfig
from groupdir.config.stage import Stage, shareable
from groupdir.metrics import sign
from groupdir.study.state import selected
from launch.control.study_loop import OVER, Next
from launch.schedulers.base import Action
from launch.simulation.simulated_study import staged
from launch.simulation.surrogate import Rows


class Rival(ABC):
    """Search of another tool, which the simulated clock runs like the production search.

    A trial has the same stages as in the production search and, if the study shares first stages, starts after its
    first stage. The tool sees the epochs that predict.

    Args:
        config: Study: its space, objectives, scheduler, number of trials and seed.
        metric: Metric whose best value selects the epoch that represents a training.
    """

    def __init__(self, config: StudyConfig, metric: str = "val_mae_all") -> None:
        self.space, self.search, self.metric = config.space, config.search, metric
        self._params: list[Mapping[str, Any]] = []
        self._rows: list[list[Mapping[str, Any]]] = []
        self._epochs: list[int] = []

    @abstractmethod
    def suggest(self, number: int) -> Mapping[str, Any]:
        """Return the parameters of a new trial."""

    def decide(self, trial: int, row: Mapping[str, Any]) -> Action:
        """Return whether a trial continues after an epoch that predicts. By default every training is a full one."""
        return "continue"

    @abstractmethod
    def tell(self, trial: int, how: str) -> None:
        """Tell the tool how a trial has ended: "finished", "stopped", "paused" or "failed"."""

    def following(self) -> Next:
        """Return a new trial, or that the search is over after the study's number of trials."""
        if len(self._params) >= self.search.trials:
            return OVER
        return self.add(self.suggest(len(self._params)))

    def add(self, params: Mapping[str, Any]) -> int:
        """Add a trial and return its number."""
        number = len(self._params)
        self._params.append(params)
        self._rows.append([])
        first = shareable(self._stages(number)) if self.search.share_stages else None
        self._epochs.append(first.epochs if first else 0)
        return number

    def values(self, trial: int) -> list[float] | None:
        """Return the objectives at the selected epoch of a trial, or None without a finite value of each.

        It is the epoch that represents the trial in the production search too.
        """
        row = self.selected(trial)
        values = [float(row.get(name, math.nan)) for name in self.search.objectives]
        return values if all(map(math.isfinite, values)) else None

    def costs(self, trial: int) -> list[float] | None:
        """Return `values` as costs to be minimised."""
        values = self.values(trial)
        return values and [sign(name) * value for name, value in zip(self.search.objectives, values, strict=True)]

    def selected(self, trial: int) -> Mapping[str, Any]:
        """Return the epoch that represents a trial, empty before the first epoch that predicts."""
        rows = self._rows[trial]
        keep = self.space.content(self._params[trial]).get("train", {}).get("keep", "best")
        return selected(rows, keep, self.metric) if rows else {}

    def last(self, trial: int) -> Mapping[str, Any]:
        """Return the last row of a trial, empty before the first epoch that predicts."""
        return self._rows[trial][-1] if self._rows[trial] else {}

    def params(self, trial: int) -> Mapping[str, Any]:
        """Return the parameters of a trial."""
        return self._params[trial]

    def seed(self, trial: int) -> int:
        """Return a seed of the trial's own."""
        return trial

    def whole(self, trial: int, rows: Rows) -> Rows:
        """Return the rows of all epochs, in the order of the trial's stages."""
        return staged(self._stages(trial), rows)

    def start(self, trial: int) -> int:
        """Return the last epoch of the trial: a trial that goes on never trains an epoch again."""
        return self._epochs[trial]

    def report(self, trial: int, row: Mapping[str, Any]) -> Action:
        """Keep the row of an epoch and return what the tool decides."""
        self._epochs[trial] = int(row["epoch"])
        if not row["predicts"]:
            return "continue"
        self._rows[trial].append(row)
        return self.decide(trial, row)

    def end(self, trial: int, how: str, epoch: int) -> None:
        """Tell the tool how a trial has ended."""
        self.tell(trial, how)

    def restart(self, running: Collection[int]) -> None:
        """Refuse.

        Raises:
            NotImplementedError: On every call, because the state of the tool would be lost.
        """
        raise NotImplementedError(f"a search by {type(self).__name__} cannot be resumed: its state is in memory alone")

    def _stages(self, trial: int) -> tuple[Stage, ...]:
        return self.space.build(self._params[trial]).stages
