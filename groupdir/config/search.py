"""Options of a search: the section `search:` of a study."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SerializeAsAny, field_validator, model_validator

from groupdir.config.base import Plugin, Strict
from groupdir.config.confirmation import ConfirmationConfig
from groupdir.config.metric_fields import MOST_OBJECTIVES, Objectives, SearchMetric
from groupdir.config.samplers import HypervolumeConfig, SamplerConfig
from groupdir.config.schedulers import ParetoHalvingConfig, SchedulerConfig
from groupdir.metrics import SHOTS, metric_name
from groupdir.names import check_label, check_place

_BOUND = re.compile(r"^\s*(<=|>=)\s*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)\s*$")
_BYTES = re.compile(r"^\s*([0-9.]+)\s*(|[kMGT]i?)B?\s*$")


def bound(text: str) -> tuple[float, float]:
    """Parse a constraint into a sign and a bound. The constraint holds if `sign * (value - bound) <= 0`.

    Raises:
        ValueError: If the text is not a constraint.

    >>> bound("<= 8.0"), bound(">= 0.7")
    ((1.0, 8.0), (-1.0, 0.7))
    """
    match = _BOUND.match(text)
    if not match:
        raise ValueError(f'must be "<= NUMBER" or ">= NUMBER", got {text!r}')
    return (1.0 if match[1] == "<=" else -1.0), float(match[2])


def size_in_bytes(text: str | int) -> int:
    """Parse a size such as "20 GB" into bytes. A number without a unit is in bytes.

    Raises:
        ValueError: If the text is not a size above 0.

    >>> size_in_bytes("20 GB"), size_in_bytes("1.5 MiB"), size_in_bytes(512)
    (20000000000, 1572864, 512)
    """
    match = _BYTES.match(str(text))
    if not match or match[1].count(".") > 1 or not 0 < float(match[1].strip(".") or 0) < math.inf:
        raise ValueError(f"must be a size above 0 such as 20 GB or 500 MiB, got {text!r}")
    base = 1024 if match[2].endswith("i") else 1000
    return int(float(match[1]) * base ** " kMGT".index(match[2][:1] or " "))


Label = Annotated[str, AfterValidator(check_label)]
"""Label of an ablation."""


class ConvergenceConfig(Strict):
    """Condition for the end of a search: the front has stopped improving."""

    trials: int = Field(ge=1, description="Finished trials in a row without a gain.")
    tolerance: float = Field(
        0.01, ge=0, description="Smallest growth of the hypervolume that counts as a gain, as a share of it."
    )


class NestedConfig(Strict):
    """Options of a nested search: few outer points, each with many inner points, so that trials share first stages."""

    outer: tuple[str, ...] = Field(
        min_length=1, description="Addresses of the open parameters that decide the first stage."
    )
    inner: int = Field(ge=2, description="Number of trials of each outer point.")
    at_once: int = Field(
        1, ge=1, description="Number of outer points that are searched at the same time, such as one for each worker."
    )


class ResourcesConfig(Strict):
    """Resources that one trial requests."""

    cpu: float = Field(1.0, gt=0, description="CPU cores of a trial.")
    gpu: float | Literal["auto"] | dict[str, float] = Field(
        "auto",
        description="GPUs of a trial. auto: one if the cluster has GPUs, else none. 0.5: half of one. "
        "{A100: 0.5, T4: 1}: share by the kind of GPU, as Ray names it.",
    )

    @field_validator("gpu")
    @classmethod
    def _not_negative(cls, value: float | str | dict[str, float]) -> float | str | dict[str, float]:
        if isinstance(value, dict):
            if not value or any(not share > 0 for share in value.values()):
                raise ValueError(f"must map kinds of GPU to the share above 0 that a trial requests, got {value}")
        elif not isinstance(value, str) and value < 0:
            raise ValueError(f"must be >= 0 or auto, got {value}")
        return value


class SearchConfig(Strict):
    """Options of a search: objectives, budget, sampler, scheduler and resources."""

    objectives: Objectives = Field(
        {metric_name("val", "mae", shot): "min" for shot in SHOTS},
        min_length=1,
        max_length=MOST_OBJECTIVES,
        description="Metrics to optimise; a mapping from metric to direction is accepted too.",
    )
    trials: int = Field(32, ge=1, description="Number of trials.")
    max_hours: float | None = Field(
        None, gt=0, description="Hours after which no new epoch starts; `groupdir resume` continues the search."
    )
    max_epochs: int | None = Field(
        None, ge=1, description="Epochs of all trials together, after which all trials are stopped."
    )
    convergence: ConvergenceConfig | None = Field(
        None, description="End the search when the front has stopped improving; null: never."
    )
    constraints: dict[SearchMetric, str] = Field(
        default_factory=dict,
        description='Bounds by metric, such as {val_mae_all: "<= 8.0"}; the sampler respects them.',
    )
    warm_start: list[str] = Field(default_factory=list, description="Folders of earlier studies to learn from.")
    concurrency: int | None = Field(
        None, ge=1, description="Trials at the same time; null: as many as the resources allow."
    )
    priority: float = Field(
        1.0,
        gt=0,
        allow_inf_nan=False,
        description="Weight of the search where several share a cluster: 2 gets twice the slots of 1.",
    )
    share_stages: bool = Field(
        True, description="Train a first stage (a pre-training) once for all trials that have the same one."
    )
    nested: NestedConfig | None = Field(None, description="Search in two levels; null: all parameters at once.")
    sampler: Annotated[SerializeAsAny[SamplerConfig], Plugin("sampler")] = Field(
        HypervolumeConfig(),
        description="Sampler of trials: hypervolume (this project's), tpe, gp, nsga2 (Optuna's), random or qmc.",
    )
    scheduler: Annotated[SerializeAsAny[SchedulerConfig], Plugin("scheduler")] = Field(
        ParetoHalvingConfig(), description="Scheduler, which stops trials early: pareto_asha, asha or none."
    )
    seed: int = Field(0, ge=0, lt=2**32, description="Seed of the sampler and of the trials' own seeds.")
    seeds: Literal["own", "shared"] = Field(
        "own",
        description="Seeds of the trainings. own: each trial has a seed of its own; shared: all trials have one seed.",
    )
    resources: ResourcesConfig = ResourcesConfig()
    checkpoint_budget: str | int | None = Field(
        None, description="Size of all kept checkpoints, such as 20 GB; those of the front are always kept."
    )
    snapshot_minutes: float = Field(
        1.0, gt=0, description="Minutes between snapshots (Parquet files) of a running search."
    )
    checkpoint_every: int = Field(5, ge=1, description="Epochs between checkpoints of a trial.")
    max_failures: int = Field(
        2,
        ge=0,
        description="Retries of a trial whose worker process has died or met an error of its machine. An error that "
        "follows from the configuration, such as a loss that is not finite, is not retried.",
    )
    max_equal_failures: int | None = Field(
        4,
        ge=2,
        description="End the search if so many trials have failed with the same error and none has succeeded since the "
        "start; null: never.",
    )
    confirm: ConfirmationConfig | None = Field(
        None, description="Train the contenders for each choice again on fresh seeds after the search; null: no."
    )
    ablations: dict[Label, dict[str, Any]] = Field(
        default_factory=dict,
        description="Changes by label, as {address: value}. Each is applied to the best trial and compared with it.",
    )
    ablation_seeds: int = Field(3, ge=1, description="Seeds of each ablation.")
    storage_path: Annotated[str, AfterValidator(check_place)] | None = Field(
        None,
        description="Place for checkpoints, first stages and snapshots that all nodes can write: a shared folder, or a "
        "URI such as s3://bucket/folder; null: the folder of the study.",
    )

    @property
    def metrics(self) -> dict[str, str]:
        """Every metric that the search reads, by its address in the YAML."""
        names = {f"search.objectives.{name}": name for name in self.objectives}
        names |= {f"search.constraints.{name}": name for name in self.constraints}
        return names | {"search.scheduler.metric": self.scheduler.metric}

    @property
    def ablation_trials(self) -> int:
        """Number of trials of all ablations, with the unchanged configuration."""
        return (len(self.ablations) + 1) * self.ablation_seeds * bool(self.ablations)

    def keeps(self, value: Callable[[str], float]) -> bool:
        """Return whether a trial meets all constraints. A metric that is NaN meets none.

        Args:
            value: Function from the name of a metric to its value in the trial.
        """
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
