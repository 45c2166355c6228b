"""Entry of a new trial in the event log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from groupdir.config.trial import TrialConfig
from groupdir.files.study_files import Role
from launch.study.study import Study


def record_trial(
    study: Study,
    config: TrialConfig,
    params: Mapping[str, Any],
    role: Role,
    label: str,
    metric: str,
    notes: Mapping[str, Any] | None = None,
) -> int:
    """Write a new trial to the event log.

    Args:
        study: The study.
        config: Configuration of the trial.
        params: Name of each open parameter -> its value.
        role: Purpose of the trial.
        label: Name of the ablation, or "" for a trial of the search.
        metric: Metric whose best value selects the epoch of the trial.
        notes: Data that the sampler stores with the trial and reads back later.

    Returns:
        The number of the trial.
    """
    number = len(study.state.trials)
    payload = {
        "params": dict(params),
        "config": config.to_dict(),
        "digest": config.digest,
        "role": role,
        "label": label,
        "metric": metric,
        "notes": dict(notes or {}),
    }
    study.append("suggested", trial=number, seed=config.seed, payload=payload)
    return number
