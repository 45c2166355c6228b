"""Optuna as shipped: a sampler over full trainings, or TPE with the Hyperband pruner on one metric."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import HyperbandPruner
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.trial import Trial, TrialState

from groupdir.config.space import StudyConfig
from groupdir.metrics import sign
from launch.sampling.domains import draw
from launch.schedulers.base import Action
from tests.bench.rivals.rival import Rival

SAMPLERS: dict[str, Callable[..., BaseSampler]] = {"tpe": TPESampler, "gp": GPSampler, "nsga2": NSGAIISampler}


class OptunaDriver(Rival):
    """Optuna's sampler over all objectives, without pruning, because Optuna prunes by one objective only.

    All options but the seed are Optuna's defaults. In Optuna 5 they include `constant_liar` of TPE.

    Args:
        config: Study: its space, objectives, number of trials and seed.
        sampler: "tpe", "gp" or "nsga2".
        flat: Whether every trial draws the parameters of all cases of a condition and ignores the inactive ones. By
            default it draws only the active ones, as Optuna's users write it. The Gaussian process models only the
            parameters that all trials have, and draws the others at random.
        metric: Metric whose best value selects the epoch that represents a training.
    """

    def __init__(
        self, config: StudyConfig, sampler: str = "tpe", flat: bool = False, metric: str = "val_mae_all"
    ) -> None:
        super().__init__(config, metric)
        directions = ["minimize" if mode == "min" else "maximize" for mode in self.search.objectives.values()]
        self._flat = flat
        self._study = new_study(SAMPLERS[sampler], self.search.seed, directions)
        self._trials: list[Trial] = []

    def suggest(self, number: int) -> Mapping[str, Any]:
        """Return the suggestion of the sampler."""
        trial = self._study.ask()
        self._trials.append(trial)
        if not self._flat:
            return self.space.suggest(lambda name, domain: draw(trial, name, domain))
        drawn = {name: draw(trial, name, domain) for name, domain in self.space.parameters.items()}
        return self.space.suggest(lambda name, _: drawn[name])

    def tell(self, trial: int, how: str) -> None:
        """Tell the objectives of the selected epoch."""
        values = self.values(trial) if how == "finished" else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            state = TrialState.COMPLETE if values else TrialState.FAIL
            self._study.tell(self._trials[trial], values, state=state)


class OptunaHyperband(Rival):
    """Optuna's TPE and Hyperband pruner on one metric.

    A trial reports the metric after every epoch, and its best value at the end. The pruner gets the study's grace
    period and the length of a training; its reduction factor and all other options are Optuna's defaults.

    Args:
        config: Study: its space, grace period, number of trials and seed.
        metric: Metric that Optuna optimises.
        longest: Number of epochs of a training.
    """

    def __init__(self, config: StudyConfig, metric: str = "val_mae_all", longest: int = 30) -> None:
        super().__init__(config, metric)
        direction = "minimize" if sign(metric) > 0 else "maximize"
        pruner = HyperbandPruner(min_resource=self.search.scheduler.grace_period, max_resource=longest)
        self._study = new_study(TPESampler, self.search.seed, [direction], pruner)
        self._trials: list[Trial] = []

    def suggest(self, number: int) -> Mapping[str, Any]:
        """Return the suggestion of TPE."""
        trial = self._study.ask()
        self._trials.append(trial)
        return self.space.suggest(lambda name, domain: draw(trial, name, domain))

    def decide(self, trial: int, row: Mapping[str, Any]) -> Action:
        """Return what the pruner decides."""
        self._trials[trial].report(float(row[self.metric]), int(row["fidelity"]))
        return "stop" if not row["done"] and self._trials[trial].should_prune() else "continue"

    def tell(self, trial: int, how: str) -> None:
        """Tell the best value of a finished trial, and that a stopped one was pruned."""
        value = float(self.selected(trial).get(self.metric, math.nan))
        if how == "finished" and math.isfinite(value):
            self._study.tell(self._trials[trial], value)
        else:
            self._study.tell(self._trials[trial], state=TrialState.PRUNED if how == "stopped" else TrialState.FAIL)


def new_study(make: Callable[..., BaseSampler], seed: int, directions: list[str], pruner: Any = None) -> optuna.Study:
    """Return a new Optuna study in memory. Its name is fixed, because the pruner draws a trial's bracket from it."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        sampler = make(seed=seed)
    return optuna.create_study(study_name=f"seed {seed}", sampler=sampler, pruner=pruner, directions=directions)
