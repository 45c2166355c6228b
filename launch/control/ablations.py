"""Trials beside the best one: itself, and itself with one thing changed, each with several seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groupdir.config.trial import TrialConfig
from launch.study.new_trial import record_trial
from launch.study.study import Study

AS_CHOSEN = "as chosen"


def suggest_ablations(study: Study) -> list[int]:
    """Records the ablations of a study whose search has ended.

    A driver that died half-way left some of them; they are not recorded twice, and the base stays the same because no
    search trial changes any more.

    Returns:
        The numbers of those that are still to be run; none where no finished search trial keeps the constraints.
    """
    search = study.config.search
    base = study.state.best(search.scheduler.metric, search.keeps)
    if not search.ablations or base is None:
        return []
    config = TrialConfig.from_dict(base.config, f"trial {base.number}")
    known = {(trial.label, trial.seed) for trial in study.state.of("ablation")}
    variants: dict[str, Mapping[str, Any]] = {AS_CHOSEN: {}, **search.ablations}
    for label, changes in variants.items():
        for seed in range(1, search.ablation_seeds + 1):
            if (label, seed) in known:
                continue
            changed = config.replaced({**changes, "seed": seed})
            params = {name: value for name, value in base.params.items() if not touched(name, changes)}
            record_trial(study, changed, params, "ablation", label, base.metric)
    return [trial.number for trial in study.state.of("ablation") if trial.status == "running"]


def touched(name: str, changes: Mapping[str, Any]) -> bool:
    """Whether a parameter's value is no longer what the base had.

    >>> touched("method.weights", {"method.weights.mode": "inverse"}), touched("method.beta", {"method.groups": 1})
    (True, False)
    """
    address = name.partition("|")[0] + "."
    return any(address.startswith(f"{change}.") or f"{change}.".startswith(address) for change in changes)
