"""Samplers that delegate to Optuna."""

from __future__ import annotations

import math
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler
from optuna.trial import FrozenTrial, TrialState

from groupdir.config.samplers import GPConfig, NSGA2Config, TPEConfig
from launch.sampling.base import Learner, Past, Suggestion
from launch.sampling.domains import draw
from launch.sampling.history import telling_objectives
from launch.sampling.optuna_history import optuna_trials

GOOD = 0.2  # share of the complete trials that TPE models as good: enough to cover a front
POPULATION = 16  # population of NSGA-II, small because a search has tens of trials, not thousands


class OptunaSampler(Learner):
    """Sampler that asks an Optuna sampler, with a new Optuna study for each suggestion.

    Attributes:
        objectives: Direction of each objective that Optuna knows, without constants and copies of another objective.
    """

    def __init__(self, past: Past) -> None:
        super().__init__(past)
        self.objectives = dict(past.search.objectives)

    @abstractmethod
    def make(self, complete: int, seed: int) -> BaseSampler:
        """Return Optuna's sampler.

        Args:
            complete: Number of complete trials.
            seed: Seed of its random generator.
        """

    @cached_property
    def history(self) -> list[FrozenTrial] | None:
        """Trials so far as Optuna trials, or None while too few values are comparable.

        Their values are those of `objectives`.
        """
        past = self.past
        every = optuna_trials(past.space, past.search, past.trials, past.rungs, past.warm)
        complete = [trial for trial in every or [] if trial.state is TrialState.COMPLETE]
        rows = [dict(zip(past.search.objectives, trial.values, strict=True)) for trial in complete]
        names = telling_objectives(past.search, rows)
        if every is None or len(names) == len(self.objectives):
            return every
        self.objectives = {name: past.search.objectives[name] for name in names}
        search = past.search.model_copy(update={"objectives": self.objectives})
        return optuna_trials(past.space, search, past.trials, past.rungs, past.warm)

    def learned(self, seed: Sequence[int]) -> Suggestion | None:
        """Return the suggestion of Optuna, which does not know the values of the fixed parameters."""
        if self.history is None:
            return None
        complete = sum(trial.state is TrialState.COMPLETE for trial in self.history)
        sampler = self.make(complete, int(np.random.SeedSequence(seed).generate_state(1)[0]))
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        fixed = self.past.fixed
        directions = ["minimize" if mode == "min" else "maximize" for mode in self.objectives.values()]
        study = optuna.create_study(sampler=sampler, directions=directions)  # type: ignore[arg-type]
        study.add_trials(self.history)
        trial = study.ask()
        params = self.past.space.suggest(
            lambda name, domain: fixed[name] if name in fixed else draw(trial, name, domain)
        )
        return Suggestion(params, dict(study.get_trials(deepcopy=False)[-1].system_attrs))


class TPE(OptunaSampler):
    """Tree-structured Parzen estimator for several objectives, with a group for each set of conditional parameters.

    A fixed share of the complete trials counts as good. Optuna's own rule counts stopped trials too. If most trials are
    stopped, that rule counts all complete trials and some stopped ones as good. (Optuna 6 will drop `gamma`, so
    pyproject.toml keeps Optuna below 6.)
    """

    Config = TPEConfig

    def make(self, complete: int, seed: int) -> BaseSampler:
        """Return a multivariate TPE."""
        good = max(1, math.ceil(GOOD * complete))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            warnings.simplefilter("ignore", FutureWarning)
            return TPESampler(
                n_startup_trials=1,
                multivariate=True,
                group=True,
                constant_liar=True,
                gamma=lambda _: good,
                seed=seed,
            )


class GP(OptunaSampler):
    """Gaussian process. Parameters that some trials lack are drawn independently."""

    Config = GPConfig

    def make(self, complete: int, seed: int) -> BaseSampler:
        """Return a Gaussian process with noise."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return GPSampler(n_startup_trials=1, deterministic_objective=False, seed=seed)


class NSGA2(OptunaSampler):
    """Genetic algorithm with non-dominated sorting."""

    Config = NSGA2Config

    def make(self, complete: int, seed: int) -> BaseSampler:
        """Return NSGA-II with a small population."""
        return NSGAIISampler(population_size=POPULATION, seed=seed)
