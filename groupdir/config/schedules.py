"""Options of the learning-rate schedules, and how a section names one."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, SerializeAsAny

from groupdir.config.base import Plugin, PluginConfig


class ScheduleConfig(PluginConfig):
    """What every schedule takes: its name."""

    follows_length: ClassVar[bool] = True
    """Whether the rate at a step depends on the length of the stage. If not, a longer stage can continue a shorter."""


class ConstantConfig(ScheduleConfig):
    """Options of `Constant`: none."""

    follows_length: ClassVar[bool] = False


class CosineConfig(ScheduleConfig):
    """Options of `Cosine`."""

    min_lr_ratio: float = Field(0.0, ge=0, le=1, description="Last rate over the first.")


class StepConfig(ScheduleConfig):
    """Options of `Step`."""

    milestones: tuple[float, ...] = Field((0.67, 0.89), description="Fractions of the stage's epochs.")
    decay: float = Field(0.1, gt=0, le=1, description="Factor at each milestone.")


Schedule = Annotated[SerializeAsAny[ScheduleConfig], Plugin("schedule")]
"""A schedule: its name, or a mapping with its name and options."""
