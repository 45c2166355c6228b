"""Ray Tune as shipped: its ASHA on one metric, with random configurations or its OptunaSearch."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from optuna import logging as optuna_logging
from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler
from ray.tune.search.optuna import OptunaSearch

from groupdir.config.space import StudyConfig
from groupdir.metrics import sign
from launch.sampling.domains import draw
from launch.sampling.independent import random_point
from launch.schedulers.base import Action
from tests.bench.rivals.rival import Rival


class RayDriver(Rival):
    """Ray's ASHA on one metric, and random configurations or OptunaSearch over all objectives.

    Args:
        config: Study: its space, objectives, grace period, reduction factor, number of trials and seed.
        optuna: Whether OptunaSearch suggests; else configurations are drawn at random.
        metric: Metric that ASHA compares.
        longest: Number of epochs of a training.
    """

    def __init__(self, config: StudyConfig, optuna: bool, metric: str = "val_mae_all", longest: int = 30) -> None:
        super().__init__(config, metric)
        search = config.search
        rungs = {"grace_period": search.scheduler.grace_period, "reduction_factor": search.scheduler.reduction_factor}
        mode = "min" if sign(metric) > 0 else "max"
        self._asha = AsyncHyperBandScheduler(time_attr="fidelity", metric=metric, mode=mode, max_t=longest, **rungs)
        optuna_logging.set_verbosity(optuna_logging.WARNING)
        names, modes = list(search.objectives), list(search.objectives.values())
        self._optuna = OptunaSearch(self._define, metric=names, mode=modes, seed=search.seed) if optuna else None

    def _define(self, trial: Any) -> dict[str, Any]:
        self._drawn = self.space.suggest(lambda name, domain: draw(trial, name, domain))
        return {}

    def suggest(self, number: int) -> Mapping[str, Any]:
        """Return the parameters of a new trial, and add it to Ray's scheduler."""
        self._asha.on_trial_add(_NOBODY, _ray_trial(number))
        if self._optuna is None:
            return random_point(self.space, [self.search.seed, number, 0])
        self._optuna.suggest(str(number))
        return self._drawn

    def decide(self, trial: int, row: Mapping[str, Any]) -> Action:
        """Return what Ray's ASHA decides."""
        decision = self._asha.on_trial_result(_NOBODY, _ray_trial(trial), dict(row))
        return "stop" if decision == TrialScheduler.STOP else "continue"

    def tell(self, trial: int, how: str) -> None:
        """Tell OptunaSearch the last values, whatever the epoch, as Ray does."""
        if self._optuna is not None:
            self._optuna.on_trial_complete(str(trial), dict(self.last(trial)), error=how == "failed")


_NOBODY: Any = None  # Ray's controller, which these methods do not look at


def _ray_trial(number: int) -> Any:
    return SimpleNamespace(trial_id=str(number))
