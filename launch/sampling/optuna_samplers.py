"""Optuna's samplers by name."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler

GOOD = 0.2  # share that TPE models as good: enough of them to cover a front
POPULATION = 16  # of NSGA-II: a search has tens of trials, not thousands


def tpe(complete: int, seed: int) -> BaseSampler:
    """Tree-structured Parzen estimator over several objectives; conditional parameters form groups of their own.

    The good ones are a share of those that have values. Optuna's own rule counts stopped trials too, so that where most
    are stopped all that have values would be good, and stopped ones besides. (`gamma` is to go in Optuna 6, which
    pyproject.toml parameters out until then.)
    """
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


def gp(complete: int, seed: int) -> BaseSampler:
    """Gaussian process; parameters that not all trials have are drawn independently."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return GPSampler(n_startup_trials=1, deterministic_objective=False, seed=seed)


def nsga2(complete: int, seed: int) -> BaseSampler:
    """Genetic algorithm with non-dominated sorting."""
    return NSGAIISampler(population_size=POPULATION, seed=seed)


MakeSampler = Callable[[int, int], BaseSampler]
"""From the number of trials that are told with values, and a seed."""
OPTUNA: dict[str, MakeSampler] = {"tpe": tpe, "gp": gp, "nsga2": nsga2}
