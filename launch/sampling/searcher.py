"""Suggestion of a study's next trial from the study's history alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from groupdir.config.parameters import Space
from groupdir.config.search import SearchConfig
from groupdir.registry import resolve
from groupdir.study.state import TrialState, key_of
from launch.sampling.base import Past, Sampler, Suggestion
from launch.sampling.design import design_point
from launch.sampling.nested import outer_parameters

ATTEMPTS = 20  # attempts to suggest parameters that no trial has; a small space repeats parameters after that


def propose(
    space: Space,
    search: SearchConfig,
    history: Sequence[TrialState],
    rungs: Sequence[int] = (),
    warm: Sequence[Mapping[str, Any]] = (),
) -> Suggestion:
    """Return the suggestion for the next trial.

    It depends on the arguments only, so a resumed search suggests the same trials as one that ran through. The first
    trials, and trials that are requested while the sampler has too little data, are points of a quasi-random design by
    their number. In a nested search most trials take the outer parameters of an earlier trial (`outer_parameters`).

    Args:
        space: The search space.
        search: Objectives, sampler and seed.
        history: All search trials so far, by number.
        rungs: Epochs at which trials are compared.
        warm: `params` and `values` of trials of earlier studies.
    """
    if not space.parameters:
        return Suggestion({})
    number = len(history)
    fixed = outer_parameters(search.nested, [trial.params for trial in history]) if search.nested else {}
    cls = cast("type[Sampler]", resolve("sampler", search.sampler.name))
    sampler = cls(Past(space, search, history, rungs, warm, fixed))
    suggestion = None
    for attempt in range(ATTEMPTS):
        suggestion = sampler.suggest([search.seed, number, attempt])
        if suggestion is None or _is_new(suggestion, history):
            break
    return suggestion or Suggestion(design_point(space, search.seed, number, fixed))


def _is_new(suggestion: Suggestion, history: Sequence[TrialState]) -> bool:
    """Return whether no trial has the suggested parameters."""
    key = key_of(suggestion.params)
    return all(trial.key != key for trial in history)
