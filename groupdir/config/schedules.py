"""Options of the learning-rate schedules, and the type of a section that names one."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, SerializeAsAny

from groupdir.config.base import Plugin, PluginConfig


class ScheduleConfig(PluginConfig):
    """Base of the options of every learning-rate schedule."""

    follows_length: ClassVar[bool] = True
    """Whether the rate at a step depends on the length of the stage. If not, a longer stage continues a shorter one."""


class ConstantConfig(ScheduleConfig):
    """Options of `Constant`, which has none."""

    follows_length: ClassVar[bool] = False


class CosineConfig(ScheduleConfig):
    """Options of `Cosine`."""

    min_lr_ratio: float = Field(0.0, ge=0, le=1, description="Ratio of the last learning rate to the first.")


class StepConfig(ScheduleConfig):
    """Options of `Step`."""

    milestones: tuple[float, ...] = Field(
        (0.67, 0.89), description="Points at which the rate drops, as fractions of the epochs of the stage."
    )
    decay: float = Field(0.1, gt=0, le=1, description="Factor of the rate at each milestone.")


Schedule = Annotated[SerializeAsAny[ScheduleConfig], Plugin("schedule")]
"""Section of a learning-rate schedule: a name, or a mapping of name and options."""
