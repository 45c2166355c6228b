"""A new trial's entry in the store."""

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
    """Writes a new trial into the store.

    Args:
        study: Where.
        config: The trial's.
        params: Name of an open parameter -> its value.
        role: What it is for.
        label: Name of the ablation, else empty.
        metric: The one whose lowest value selects the trial's epoch.
        notes: What the sampler wants to be told again with it.

    Returns:
        Its number.
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
