"""Optuna's samplers by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, GPSampler, NSGAIISampler, TPESampler

from groupdir.search_config import SearchConfig

POPULATION = 16  # of NSGA-II: a search has tens of trials, not thousands


def tpe(search: SearchConfig, seed: int) -> BaseSampler:
    """Tree-structured Parzen estimator over several objectives; conditional leaves form groups of their own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(n_startup_trials=1, multivariate=True, group=True, constant_liar=True, seed=seed)


def gp(search: SearchConfig, seed: int) -> BaseSampler:
    """Gaussian process; leaves that not all trials have are drawn independently."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return GPSampler(n_startup_trials=1, deterministic_objective=False, seed=seed)


def nsga2(search: SearchConfig, seed: int) -> BaseSampler:
    """Genetic algorithm with non-dominated sorting."""
    return NSGAIISampler(population_size=POPULATION, seed=seed)


MakeSampler = Callable[[SearchConfig, int], BaseSampler]
SAMPLERS: dict[str, MakeSampler | None] = {
    "tpe": tpe,
    "gp": gp,
    "nsga2": nsga2,
    "random": None,
    "qmc": None,
}
"""Name -> what makes the sampler; None: `launch.design` draws without a history."""
