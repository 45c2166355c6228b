"""Number of a trial of Ray in its study."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ray.tune.experiment import Trial


def number(trial: Trial) -> int:
    """Return the number that the study gives to a trial of Ray."""
    return int(trial.config["trial"])
