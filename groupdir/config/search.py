"""How a space is searched: the `search:` section of a study."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from groupdir.config.base import Plugin, Strict
from groupdir.config.metric_fields import MOST_OBJECTIVES, Objectives, SearchMetric
from groupdir.config.samplers import SamplerConfig, TPEConfig
from groupdir.config.schedulers import ParetoHalvingConfig, SchedulerConfig
from groupdir.metrics import SHOTS, metric_name

_BOUND = re.compile(r"^\s*(<=|>=)\s*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*$")
_BYTES = re.compile(r"^\s*([0-9.]+)\s*(|[kMGT]i?)B?\s*$")


def bound(text: str) -> tuple[float, float]:
    """A constraint as sign and bound: it holds where `sign * (value - bound) <= 0`.

    Raises:
        ValueError: It is none.

    >>> bound("<= 8.0"), bound(">= 0.7")
    ((1.0, 8.0), (-1.0, 0.7))
    """
    found = _BOUND.match(text)
    if not found:
        raise ValueError(f'must be "<= NUMBER" or ">= NUMBER", got {text!r}')
    return (1.0 if found[1] == "<=" else -1.0), float(found[2])


def size_in_bytes(text: str | int) -> int:
    """A size as a person writes it.

    Raises:
        ValueError: It is none, or not above 0.

    >>> size_in_bytes("20 GB"), size_in_bytes("1.5 MiB"), size_in_bytes(512)
    (20000000000, 1572864, 512)
    """
    found = _BYTES.match(str(text))
    if not found or found[1].count(".") > 1 or not float(found[1].strip(".") or 0) > 0:
        raise ValueError(f"must be a size above 0 such as 20 GB or 500 MiB, got {text!r}")
    base = 1024 if found[2].endswith("i") else 1000
    return int(float(found[1]) * base ** " kMGT".index(found[2][:1] or " "))


class ConvergenceConfig(Strict):
    """When the front has stopped to move."""

    trials: int = Field(ge=1, description="Finished trials that must pass without a gain.")
    tolerance: float = Field(0.01, ge=0, description="Share of the hypervolume that is no gain.")


class NestedConfig(Strict):
    """Few outer points with many inner ones each, so that trials share what the outer ones decide."""

    outer: tuple[str, ...] = Field(
        min_length=1, description="Addresses of the open parameters that decide a first stage."
    )
    inner: int = Field(ge=2, description="Trials of each outer point.")
    at_once: int = Field(1, ge=1, description="Outer points that are begun together: one for each worker.")


class ResourcesConfig(Strict):
    """What one trial takes."""

    cpu: float = Field(1.0, gt=0)
    gpu: float | Literal["auto"] | dict[str, float] = Field(
        "auto",
        description="auto: one where the cluster has GPUs, none elsewhere. 0.5: half of one. {A100: 0.5, T4: 1}: by "
        "the kind of GPU, as Ray names it.",
    )

    @field_validator("gpu")
    @classmethod
    def _not_negative(cls, value: float | str | dict[str, float]) -> float | str | dict[str, float]:
        if isinstance(value, dict):
            if not value or any(not share > 0 for share in value.values()):
                raise ValueError(f"must name kinds of GPU and the part above 0 that a trial takes of each, got {value}")
        elif not isinstance(value, str) and value < 0:
            raise ValueError(f"must be >= 0 or auto, got {value}")
        return value


class SearchConfig(Strict):
    """How to search: for what, how long, on what."""

    objectives: Objectives = Field(
        {metric_name("val", "mae", shot): "min" for shot in SHOTS},
        min_length=1,
        max_length=MOST_OBJECTIVES,
        description="Metrics to optimise; a mapping from metric to direction is accepted too.",
    )
    trials: int = Field(32, ge=1)
    max_hours: float | None = Field(None, gt=0, description="Wall time after which no epoch starts; a resume goes on.")
    max_epochs: int | None = Field(None, ge=1, description="Of all trials together; then all are stopped.")
    convergence: ConvergenceConfig | None = Field(None, description="End when the front does not move any more.")
    constraints: dict[SearchMetric, str] = Field(
        default_factory=dict, description='Metric -> bound, such as {val_mae_all: "<= 8.0"}; the sampler keeps to them.'
    )
    warm_start: list[str] = Field(default_factory=list, description="Folders of earlier studies to learn from.")
    concurrency: int | None = Field(None, ge=1, description="Trials at once; null: as many as the resources carry.")
    share_stages: bool = Field(
        True, description="Whether trials with the same first stage (a pre-training) train it once, and all take it."
    )
    nested: NestedConfig | None = Field(None, description="A search of two levels; null: all parameters at once.")
    sampler: Annotated[SerializeAsAny[SamplerConfig], Plugin("sampler")] = Field(
        TPEConfig(), description="Suggests trials: tpe, gp, nsga2 (Optuna's), hypervolume (ours), random or qmc."
    )
    scheduler: Annotated[SerializeAsAny[SchedulerConfig], Plugin("scheduler")] = Field(
        ParetoHalvingConfig(), description="Stops trials early: pareto_asha, asha or none."
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Of the sampler.")
    resources: ResourcesConfig = ResourcesConfig()
    checkpoint_budget: str | int | None = Field(
        None, description="Bytes of kept checkpoints, such as 20 GB; those of the front are kept in any case."
    )
    snapshot_minutes: float = Field(1.0, gt=0, description="Time between the Parquet files of a running search.")
    checkpoint_every: int = Field(5, ge=1, description="Epochs between checkpoints.")
    max_failures: int = Field(2, ge=0, description="Times that a trial is tried again after its worker died.")
    ablations: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Label -> changes by address; each is run on the best trial, beside itself."
    )
    ablation_seeds: int = Field(3, ge=1)
    storage_path: str | None = Field(
        None,
        description="Where all nodes can write checkpoints, first stages and snapshots: a folder that they share, or a "
        "URI such as s3://bucket/folder; null: the study's folder.",
    )

    @property
    def metrics(self) -> dict[str, str]:
        """Every metric that the search reads: address in the YAML -> metric."""
        names = {f"search.objectives.{name}": name for name in self.objectives}
        names |= {f"search.constraints.{name}": name for name in self.constraints}
        return names | {"search.scheduler.metric": self.scheduler.metric}

    def keeps(self, value: Callable[[str], float]) -> bool:
        """Whether all constraints hold of a trial, given its metric of each name; one that is NaN holds to none."""
        bounds = ((name, *bound(text)) for name, text in self.constraints.items())
        return all(sign * (value(name) - limit) <= 0 for name, sign, limit in bounds)

    @field_validator("constraints")
    @classmethod
    def _bounds(cls, value: dict[str, str]) -> dict[str, str]:
        for text in value.values():
            bound(text)
        return value

    @field_validator("checkpoint_budget")
    @classmethod
    def _bytes(cls, value: str | int | None) -> int | None:
        return value if value is None else size_in_bytes(value)

    @model_validator(mode="after")
    def _scheduler_fits(self) -> Self:
        self.scheduler.check(self.objectives)
        return self
