"""Which trial comes next: a sampler, asked with the store's history alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from groupdir.config.search import SearchConfig
from groupdir.config.space import Space
from groupdir.study import state
from groupdir.study.state import key_of
from launch.sampling import hypervolume
from launch.sampling.design import design_point, random_point
from launch.sampling.domains import draw
from launch.sampling.history import told
from launch.sampling.nested import outer_parameters
from launch.sampling.optuna_samplers import OPTUNA, MakeSampler

SAMPLERS = (*OPTUNA, "hypervolume", "random", "qmc")
EXPLORES = 3  # one in so many trials is of the design whatever our model says: it may be wrong (BOHB does so too)
TRIES = 20  # to find parameters that no trial has had; a space that has no more repeats itself


@dataclass(frozen=True)
class Suggestion:
    """What the next trial is.

    Attributes:
        params: Name of an open parameter -> its value.
        notes: What the sampler wants to be told again with the trial.
    """

    params: dict[str, Any]
    notes: dict[str, Any] = field(default_factory=dict)


def propose(
    space: Space,
    search: SearchConfig,
    history: Sequence[state.TrialState],
    rungs: Sequence[int] = (),
    warm: Sequence[Mapping[str, Any]] = (),
) -> Suggestion:
    """The next trial: a function of the space, the seed and the trials so far, and of nothing else.

    A driver that was restarted therefore suggests what the first one would have. The first trials, and those that are
    asked for before enough has been reported, are points of a quasi-random design by their number. In a search of two
    rungs the outer parameters of most trials are those of an earlier one (`outer_parameters`).

    Args:
        space: What is open.
        search: Objectives, sampler and seed.
        history: All search trials so far, by number.
        rungs: The epochs at which trials are compared.
        warm: Trials of earlier studies: `params` and `values`.
    """
    number, name = len(history), search.sampler.name
    if not space.parameters:
        return Suggestion({})
    fixed = outer_parameters(search.nested, [trial.params for trial in history])
    if name == "qmc" or (name != "random" and number + len(warm) < search.sampler.startup):
        return Suggestion(design_point(space, search.seed, number, fixed))
    if name == "hypervolume" and number % EXPLORES == 0:
        return Suggestion(design_point(space, search.seed, number, fixed))
    ask = _asked(space, search, history, rungs, warm, fixed)
    suggestion = Suggestion({})
    for attempt in range(TRIES):
        found = ask([search.seed, number, attempt])
        if found is None:
            return Suggestion(design_point(space, search.seed, number, fixed))
        suggestion = found
        key = key_of(suggestion.params)
        if not any(trial.key == key for trial in history):
            break
    return suggestion


def _asked(
    space: Space,
    search: SearchConfig,
    history: Sequence[state.TrialState],
    rungs: Sequence[int],
    warm: Sequence[Mapping[str, Any]],
    fixed: Mapping[str, Any],
) -> Callable[[Sequence[int]], Suggestion | None]:
    """What gives a suggestion for some words of a generator, or None where too little is known."""
    if search.sampler.name == "random":
        return lambda words: Suggestion(random_point(space, words, fixed))
    if search.sampler.name == "hypervolume":
        ours = hypervolume.suggester(space, search, history, rungs, warm, fixed)
        return lambda words: None if ours is None else Suggestion(ours(words))
    known = told(space, search, history, rungs, warm)
    make = OPTUNA[search.sampler.name]
    return lambda words: None if known is None else _ask(space, search, make, words, known, fixed)


def _ask(
    space: Space,
    search: SearchConfig,
    make: MakeSampler,
    words: Sequence[int],
    known: Sequence[FrozenTrial],
    fixed: Mapping[str, Any],
) -> Suggestion:
    """Asks Optuna in a study made for this one question; it draws the other parameters as if none were fixed."""
    complete = sum(trial.state is TrialState.COMPLETE for trial in known)
    sampler = make(complete, int(np.random.SeedSequence(words).generate_state(1)[0]))
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    directions = ["minimize" if mode == "min" else "maximize" for mode in search.objectives.values()]
    study = optuna.create_study(sampler=sampler, directions=directions)  # type: ignore[arg-type]
    study.add_trials(known)
    asked = study.ask()
    params = space.suggest(lambda name, domain: fixed[name] if name in fixed else draw(asked, name, domain))
    return Suggestion(params, dict(study.get_trials(deepcopy=False)[-1].system_attrs))
