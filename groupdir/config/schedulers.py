"""The options of schedulers, which decide what trials stop early: one class for each entry of the registry."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from groupdir.config.base import PluginConfig
from groupdir.config.metric_fields import SearchMetric


class SchedulerConfig(PluginConfig):
    """What every scheduler takes. The properties say what others need to know of one."""

    metric: SearchMetric = Field(
        "val_mae_all", description="Names the best trial, for ablations; asha also compares by it."
    )

    @property
    def label(self) -> str:
        """Its name in a comparison, with the option that changes it most."""
        return self.name

    @property
    def text(self) -> str:
        """Its name and what it does, for people."""
        return self.name

    @property
    def one_in(self) -> float:
        """One trial in so many continues at each rung, for estimates of a budget."""
        return 1.0

    @property
    def last_epoch(self) -> int | None:
        """Epoch, of the stages that predict, at which a trial is stopped; None where it runs to its own last one."""
        return None

    def check(self, objectives: Collection[str]) -> None:
        """Refuse options that do not fit the study's objectives.

        Raises:
            ValueError: An option does not fit.
        """


class RungsConfig(SchedulerConfig):
    """What schedulers take that compare trials at rungs, at the epochs grace_period * reduction_factor^k."""

    grace_period: int = Field(
        5,
        ge=1,
        description="Epochs that every trial gets, of its stages that predict, as are those of every rung and max_t.",
    )
    reduction_factor: float = Field(3, gt=1, description="One trial in so many continues at each rung.")

    @property
    def compared(self) -> str:
        """What trials are compared by, for people."""
        return "all objectives"

    @property
    def text(self) -> str:
        """What is compared, where the first rung is, and how many trials advance."""
        rungs = f"from epoch {self.grace_period} on, 1 in {self.reduction_factor:g} trials advances at each rung"
        return f"{self.name}, compares {self.compared} {rungs}"

    @property
    def one_in(self) -> float:
        """The reduction factor."""
        return self.reduction_factor


class NoStoppingConfig(SchedulerConfig):
    """Options of `none`, which lets every trial run to its last epoch."""

    name: str = "none"

    @property
    def text(self) -> str:
        """Its name and what it does."""
        return "none, every trial runs to its last epoch"


class ASHAConfig(RungsConfig):
    """Options of `asha`, which compares trials by one metric."""

    name: str = "asha"

    @property
    def compared(self) -> str:
        """The metric."""
        return self.metric


class ParetoHalvingConfig(RungsConfig):
    """Options of `pareto_asha`, which compares trials by the front of all objectives.

    >>> ParetoHalvingConfig().text
    'pareto_asha, compares all objectives from epoch 5 on, 1 in 3 trials advances at each rung'
    """

    name: str = "pareto_asha"
    mode: Literal["stop", "promote"] = Field("stop", description="Decide at arrival, or pause and promote the best.")
    max_t: int | None = Field(None, ge=1, description="Epochs at which a trial is stopped; null: its own last one.")
    tie_break: Literal["crowding", "epsilon_net"] = "crowding"
    epsilon: float | dict[str, float] = Field(
        0.0, description="Difference that is noise, for all objectives or by name: the seed-to-seed spread."
    )
    min_peers: int = Field(3, ge=1, description="A rung with fewer trials stops nobody.")

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
        """Its name and mode."""
        return f"{self.name} ({self.mode})"

    @property
    def last_epoch(self) -> int | None:
        """`max_t`."""
        return self.max_t

    def check(self, objectives: Collection[str]) -> None:
        """Refuse an epsilon of what is no objective."""
        unknown = set(self.epsilon) - set(objectives) if isinstance(self.epsilon, dict) else set()
        if unknown:
            raise ValueError(f"scheduler.epsilon must name objectives ({', '.join(objectives)}), got {min(unknown)}")
