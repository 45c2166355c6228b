"""Options of the schedulers, which stop trials early: one class for each scheduler of the registry."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from groupdir.config.base import PluginConfig
from groupdir.config.metric_fields import SearchMetric


class SchedulerConfig(PluginConfig):
    """Base of the options of every scheduler. Its properties describe a scheduler to reports and estimates."""

    metric: SearchMetric = Field(
        "val_mae_all", description="Metric that selects the best trial for ablations; asha also compares trials by it."
    )

    @property
    def label(self) -> str:
        """Name of the scheduler in a comparison, with its most important option."""
        return self.name

    @property
    def text(self) -> str:
        """Name of the scheduler and its behaviour, as one line of text."""
        return self.name

    @property
    def one_in(self) -> float:
        """Number of trials of which one advances at each rung, for estimates of the budget."""
        return 1.0

    @property
    def last_epoch(self) -> int | None:
        """Epoch of predicting stages at which every trial is stopped; None if trials run to their last epoch."""
        return None

    @property
    def uncompared(self) -> int:
        """Number of the first trials at a rung that pass it without a comparison."""
        return 0

    @property
    def pauses(self) -> bool:
        """True if trials pause at rungs until they are promoted."""
        return False

    def check(self, objectives: Collection[str]) -> None:
        """Refuse options that do not fit the objectives of the study.

        Raises:
            ValueError: If an option does not fit.
        """


class RungsConfig(SchedulerConfig):
    """Base of the options of schedulers that compare trials at rungs: the epochs grace_period * reduction_factor^k."""

    grace_period: int = Field(
        5,
        ge=1,
        description="Epochs that every trial gets. Rungs, grace_period and max_t count epochs of predicting stages "
        "only.",
    )
    reduction_factor: float = Field(3, gt=1, description="Number of trials of which one advances at each rung.")

    @property
    def compared(self) -> str:
        """Metrics by which trials are compared, as text."""
        return "all objectives"

    @property
    def text(self) -> str:
        """Name of the scheduler, compared metrics, first rung, and share of trials that advance."""
        rungs = f"from epoch {self.grace_period} on, 1 in {self.reduction_factor:g} trials advances at each rung"
        return f"{self.name}, compares {self.compared} {rungs}"

    @property
    def one_in(self) -> float:
        """Reduction factor."""
        return self.reduction_factor

    @property
    def uncompared(self) -> int:
        """The first trial, because there is nothing to compare it with."""
        return 1


class NoStoppingConfig(SchedulerConfig):
    """Options of `none`, which lets every trial run to its last epoch."""

    name: str = "none"

    @property
    def text(self) -> str:
        """Name of the scheduler and its behaviour."""
        return "none, every trial runs to its last epoch"


class ASHAConfig(RungsConfig):
    """Options of `asha`, which compares trials by one metric."""

    name: str = "asha"

    @property
    def compared(self) -> str:
        """Metric by which trials are compared."""
        return self.metric


class ParetoHalvingConfig(RungsConfig):
    """Options of `pareto_asha`, which compares trials by the front of all objectives.

    >>> ParetoHalvingConfig().text
    'pareto_asha, compares all objectives from epoch 5 on, 1 in 3 trials advances at each rung'
    """

    name: str = "pareto_asha"
    mode: Literal["stop", "promote"] = Field(
        "stop", description="stop: decide when a trial reaches a rung; promote: pause the trial and promote the best."
    )
    max_t: int | None = Field(
        None, ge=1, description="Epochs after which every trial is stopped; null: its last epoch."
    )
    tie_break: Literal["crowding", "epsilon_net"] = Field(
        "crowding", description="Order of trials on the same front of a rung."
    )
    epsilon: float | dict[str, float] = Field(
        0.0, description="Difference that counts as noise, such as the spread over seeds: one number, or by objective."
    )
    min_peers: int = Field(3, ge=1, description="A rung with fewer trials stops no trial.")

    @field_validator("epsilon")
    @classmethod
    def _not_negative(cls, value: float | dict[str, float]) -> float | dict[str, float]:
        for number in value.values() if isinstance(value, dict) else [value]:
            if not 0 <= number < math.inf:
                raise ValueError(f"must be finite and >= 0, got {number}")
        return value

    @model_validator(mode="after")
    def _order(self) -> Self:
        if self.max_t is not None and self.max_t < self.grace_period:
            raise ValueError(f"max_t must be >= grace_period ({self.grace_period}), got {self.max_t}")
        return self

    @property
    def label(self) -> str:
        """Name of the scheduler and its mode."""
        return f"{self.name} ({self.mode})"

    @property
    def last_epoch(self) -> int | None:
        """Value of `max_t`."""
        return self.max_t

    @property
    def uncompared(self) -> int:
        """Number `min_peers` - 1: a trial is compared once it has as many peers."""
        return self.min_peers - 1

    @property
    def pauses(self) -> bool:
        """True in mode "promote"."""
        return self.mode == "promote"

    def check(self, objectives: Collection[str]) -> None:
        """Refuse an epsilon for a metric that is not an objective.

        Raises:
            ValueError: If `epsilon` names another metric.
        """
        unknown = set(self.epsilon) - set(objectives) if isinstance(self.epsilon, dict) else set()
        if unknown:
            raise ValueError(f"scheduler.epsilon must name objectives ({', '.join(objectives)}), got {min(unknown)}")
