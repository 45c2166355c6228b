"""Ablations: the best trial unchanged and with one change at a time, each with several seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from groupdir.config.space import StudyConfig
from groupdir.config.trial import TrialConfig
from groupdir.seeds import ABLATION
from groupdir.study.state import StudyState, TrialState
from groupdir.values.of_study import values_of
from launch.study.new_trial import record_trial
from launch.study.study import Study
from launch.study.trial_seeds import later_seeds

AS_CHOSEN = "as chosen"


def suggest_ablations(study: Study) -> list[int]:
    """Add the ablation trials of a study whose search has ended to its event log.

    All ablations have the same seeds, so that they are compared in pairs. The search has used none of these seeds.
    After a crash of the driver, only the missing ones are added.

    Returns:
        The numbers of the ablation trials that still have to run. The list is empty if no finished trial of the search
        satisfies the constraints.
    """
    search = study.config.search
    base = base_of(study.config, study.state)
    if not search.ablations or base is None:
        return []
    config = TrialConfig.from_dict(base.config, f"trial {base.number}")
    known = {(trial.label, trial.seed) for trial in study.state.of("ablation")}
    seeds = later_seeds(study.config, ABLATION, search.ablation_seeds)
    variants: dict[str, Mapping[str, Any]] = {AS_CHOSEN: {}, **search.ablations}
    for label, changes in variants.items():
        for seed in seeds:
            if (label, seed) in known:
                continue
            changed = config.replaced({**changes, "seed": seed, "stage_seed": None})
            params = {name: value for name, value in base.params.items() if not touched(name, changes)}
            record_trial(study, changed, params, "ablation", label, base.metric)
    return [trial.number for trial in study.state.of("ablation") if trial.status == "running"]


def base_of(config: StudyConfig, state: StudyState) -> TrialState | None:
    """Return the trial of the search that the ablations change: the best one by its estimated value, or None.

    Once an ablation exists, its base stays, although later trainings change the estimates.
    """
    search = config.search
    for trial in state.of("ablation"):
        if trial.label == AS_CHOSEN:
            return next(other for other in state.of("search") if other.configuration == trial.configuration)
    values = values_of(config, state)
    candidates = values.kept(search.keeps)
    costs = values.of(search.scheduler.metric).costs[candidates]
    if not np.isfinite(costs).any():
        return None
    return state.trials[values.trials[candidates[np.nanargmin(costs)]]]


def touched(name: str, changes: Mapping[str, Any]) -> bool:
    """Return whether the changes of an ablation overwrite a parameter of the best trial.

    >>> touched("method.weights", {"method.weights.mode": "inverse"}), touched("method.beta", {"method.groups": 1})
    (True, False)
    """
    address = name.partition("|")[0] + "."
    return any(address.startswith(f"{change}.") or f"{change}.".startswith(address) for change in changes)


def unfinished_ablations(study: Study) -> bool:
    """Return whether an ended search still has ablations to run. Without a trial that may be chosen it has none."""
    trials = study.state.of("ablation")
    if len(trials) >= study.config.search.ablation_trials:
        return any(trial.status == "running" for trial in trials)
    return base_of(study.config, study.state) is not None
