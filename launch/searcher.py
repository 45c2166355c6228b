"""Which trial comes next: Optuna's samplers, asked with the store's history alone."""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState, create_trial
from ray.tune.search import Searcher

from groupdir.search_config import SearchConfig
from groupdir.space import Space
from launch import state
from launch.design import design_point
from launch.domains import distribution, draw, encode
from launch.study import Study

TRIES = 20  # to find parameters that no trial has had; a space that has no more repeats itself


def tpe(search: SearchConfig, seed: int) -> BaseSampler:
    """Tree-structured Parzen estimator over several objectives; conditional leaves form groups of their own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(
            n_startup_trials=search.sampler.startup, multivariate=True, group=True, constant_liar=True, seed=seed
        )


def random(search: SearchConfig, seed: int) -> BaseSampler:
    """Independent draws."""
    return RandomSampler(seed=seed)


SAMPLERS: dict[str, Callable[[SearchConfig, int], BaseSampler] | None] = {"tpe": tpe, "random": random, "qmc": None}
"""Name -> what makes the sampler; None: the quasi-random design, which needs no history."""


def propose(space: Space, search: SearchConfig, history: Sequence[state.TrialState]) -> dict[str, Any]:
    """Parameters of the next trial: a function of the space, the seed and the trials so far, and of nothing else.

    A driver that was restarted therefore suggests what the first one would have. Optuna's study is built anew at each
    call: adding a trial takes half a millisecond.

    Args:
        space: What is open.
        search: Objectives, sampler and seed.
        history: All search trials so far, by number.

    Returns:
        Name -> value.
    """
    make = SAMPLERS[search.sampler.name]
    if make is None:
        return design_point(space, search.seed, len(history))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    taken = [dict(trial.params) for trial in history]
    params: dict[str, Any] = {}
    for attempt in range(TRIES):
        words = np.random.SeedSequence([search.seed, len(history), attempt]).generate_state(1)
        sampler = make(search, int(words[0]))
        directions = ["minimize" if mode == "min" else "maximize" for mode in search.objectives.values()]
        study = optuna.create_study(sampler=sampler, directions=directions)  # type: ignore[arg-type]
        study.add_trials([told(space, search, trial) for trial in history])
        asked = study.ask()
        params = space.suggest(lambda name, domain, asked=asked: draw(asked, name, domain))  # type: ignore[misc]
        if params not in taken:
            break
    return params


def told(space: Space, search: SearchConfig, trial: state.TrialState) -> FrozenTrial:
    """A trial as Optuna may know it.

    A trial that the scheduler stopped is PRUNED, without values: its errors after few epochs are no errors of a
    finished trial. One without all objectives has failed.
    """
    leaves = space.leaves
    values = [trial.value(name) for name in search.objectives]
    found = {"running": TrialState.RUNNING, "stopped": TrialState.PRUNED}.get(trial.status, TrialState.FAIL)
    if trial.status == "finished" and all(map(math.isfinite, values)):
        found = TrialState.COMPLETE
    return create_trial(
        state=found,
        values=values if found is TrialState.COMPLETE else None,
        params={name: encode(leaves[name], value) for name, value in trial.params.items()},
        distributions={name: distribution(leaves[name]) for name in trial.params},
    )


class StudySearcher(Searcher):
    """Hands out trials that wait (suggested by an earlier driver, or ablations), then new ones.

    Args:
        study: Where trials are recorded.
        waiting: Numbers of trials to go on with.
        suggest: Records one more trial and gives its number, or None when there are enough.
    """

    def __init__(self, study: Study, waiting: Iterable[int], suggest: Callable[[], int | None]) -> None:
        super().__init__(metric=None, mode=None)
        self._study = study
        self._waiting = deque(waiting)
        self._new = suggest

    def suggest(self, trial_id: str) -> Any:
        """The next trial's configuration for the trainable, or that there is no more."""
        number = self._waiting.popleft() if self._waiting else self._new()
        if number is None:
            return Searcher.FINISHED
        trial = self._study.state.trials[number]
        there = trial.checkpoint is not None and (Path(trial.checkpoint) / "trial.pt").is_file()
        return {"trial": number, "config": dict(trial.config), "resume": trial.checkpoint if there else None}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing to remember: the store knows."""

    def save(self, checkpoint_path: str) -> None:
        """Ray wants a file; a new driver reads the store instead."""
        Path(checkpoint_path).write_text("the state of this search is in study.sqlite\n", encoding="utf-8")

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: see `save`."""
