"""The samplers of Optuna."""

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
from launch.sampling.base import Learner, Suggestion
from launch.sampling.domains import draw
from launch.sampling.optuna_history import told

GOOD = 0.2  # share that TPE models as good: enough of them to cover a front
POPULATION = 16  # of NSGA-II: a search has tens of trials, not thousands


class OptunaSampler(Learner):
    """Sampler that asks one of Optuna's, in a study made for this one question."""

    @abstractmethod
    def make(self, complete: int, seed: int) -> BaseSampler:
        """Return Optuna's sampler.

        Args:
            complete: How many trials have values.
            seed: Of its generator.
        """

    @cached_property
    def history(self) -> list[FrozenTrial] | None:
        """The trials so far, as Optuna may know them; None while too few are comparable."""
        past = self.past
        return told(past.space, past.search, past.trials, past.rungs, past.warm)

    def learned(self, seed: Sequence[int]) -> Suggestion | None:
        """Ask Optuna; it draws the other parameters as if none were fixed."""
        if self.history is None:
            return None
        complete = sum(trial.state is TrialState.COMPLETE for trial in self.history)
        sampler = self.make(complete, int(np.random.SeedSequence(seed).generate_state(1)[0]))
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        objectives, fixed = self.past.search.objectives, self.past.fixed
        directions = ["minimize" if mode == "min" else "maximize" for mode in objectives.values()]
        study = optuna.create_study(sampler=sampler, directions=directions)  # type: ignore[arg-type]
        study.add_trials(self.history)
        trial = study.ask()
        params = self.past.space.suggest(
            lambda name, domain: fixed[name] if name in fixed else draw(trial, name, domain)
        )
        return Suggestion(params, dict(study.get_trials(deepcopy=False)[-1].system_attrs))


class TPE(OptunaSampler):
    """Tree-structured Parzen estimator over several objectives; conditional parameters form groups of their own.

    The good trials are a share of those that have values. Optuna's own rule counts stopped trials too: where most are
    stopped, all trials that have values would be good, and stopped ones as well. (Optuna 6 will drop `gamma`;
    pyproject.toml keeps Optuna below it.)
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
    """Gaussian process; parameters that not all trials have are drawn independently."""

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
