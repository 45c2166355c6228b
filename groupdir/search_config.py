"""How a space is searched: the `search:` section of a study."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator

from groupdir.config import Strict

_METRIC = re.compile(r"^val_((mae|gm|mse|bmae|pearson)_(all|many|median|few)|group_accuracy)$")


def objective(name: str) -> str:
    """Checks that a name is a metric that a search may look at.

    Raises:
        ValueError: It reads the test set, is the oracle's, or is unknown.
    """
    if "test_" in name:
        raise ValueError(f"'{name}' reads the test set, which a search must not: take val_{name.removeprefix('test_')}")
    if "oracle_mae" in name:
        raise ValueError(f"'{name}' knows the true group, which is a diagnostic: take {name.replace('oracle_', '')}")
    if not _METRIC.match(name):
        known = "val_{mae,gm,mse,bmae,pearson}_{all,many,median,few} and val_group_accuracy"
        raise ValueError(f"unknown metric '{name}': known are {known}")
    return name


class SamplerConfig(Strict):
    """Which sampler suggests trials."""

    name: str = "tpe"
    startup: int = Field(10, ge=1, description="Trials that are drawn at random before the sampler learns.")


class SchedulerConfig(Strict):
    """Which scheduler stops trials early."""

    name: str = "asha"
    metric: str = "val_mae_all"
    mode: Literal["min", "max"] = "min"
    grace_period: int = Field(5, ge=1, description="Epochs that every trial gets.")
    reduction_factor: float = Field(3, gt=1, description="One in so many goes on at each rung.")

    _known = field_validator("metric")(objective)


class ResourcesConfig(Strict):
    """What one trial takes."""

    cpu: float = Field(1.0, gt=0)
    gpu: float | Literal["auto"] = Field("auto", description="auto: one where the cluster has GPUs, none elsewhere.")

    @field_validator("gpu")
    @classmethod
    def _not_negative(cls, value: float | str) -> float | str:
        if not isinstance(value, str) and value < 0:
            raise ValueError(f"must be >= 0 or auto, got {value}")
        return value


class SearchConfig(Strict):
    """How to search: for what, how long, on what."""

    objectives: dict[str, Literal["min", "max"]] = Field(
        {"val_mae_many": "min", "val_mae_median": "min", "val_mae_few": "min"}, min_length=1, max_length=4
    )
    trials: int = Field(32, ge=1)
    max_hours: float | None = Field(None, gt=0, description="Wall time after which no epoch starts; a resume goes on.")
    concurrency: int | None = Field(None, ge=1, description="Trials at once; null: as many as the resources carry.")
    sampler: SamplerConfig = SamplerConfig()
    scheduler: SchedulerConfig = SchedulerConfig()
    seed: int = Field(0, ge=0, lt=2**32, description="Of the sampler.")
    resources: ResourcesConfig = ResourcesConfig()
    checkpoint_every: int = Field(5, ge=1, description="Epochs between checkpoints.")
    max_failures: int = Field(2, ge=0, description="Times that a trial is tried again after its worker died.")
    ablations: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Label -> changes by address; each is run on the best trial, beside itself."
    )
    ablation_seeds: int = Field(3, ge=1)
    storage_path: str | None = Field(
        None, description="Folder that all nodes share for checkpoints; null: the study's."
    )

    @field_validator("objectives")
    @classmethod
    def _known(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            objective(name)
        return value
