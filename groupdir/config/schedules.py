"""Options of the learning-rate schedules, and the type of a section that names one."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, SerializeAsAny

from groupdir.config.base import Plugin, PluginConfig

_RATIO = re.compile(r"(\d+)/(\d+)")


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


def fraction(milestone: float | str) -> Fraction:
    """Return a milestone as an exact fraction of the stage.

    A number is taken as the decimal that a person wrote, and a text such as "60/90" as a ratio.

    Raises:
        ValueError: If the milestone is neither a number from 0 to 1 nor a ratio from 0 to 1.

    Example:
        >>> fraction("60/90") * 90, float(fraction(0.667) * 90)
        (Fraction(60, 1), 60.03)
    """
    rule = "must be a fraction from 0 to 1 of the stage's epochs, such as 0.5 or 60/90"
    ratio = _RATIO.fullmatch(str(milestone))
    if ratio is not None and int(ratio[2]) > 0:
        share = Fraction(int(ratio[1]), int(ratio[2]))
    elif isinstance(milestone, int | float) and not isinstance(milestone, bool) and math.isfinite(milestone):
        share = Fraction(repr(float(milestone)))
    else:
        raise ValueError(f"{rule}, got {milestone!r}")
    if not 0 <= share <= 1:
        raise ValueError(f"{rule}, got {milestone}: for epoch 60 of 90 epochs, write 60/90")
    return share


def _checked(milestone: float | str) -> float | str:
    """Return a milestone that `fraction` accepts."""
    fraction(milestone)
    return milestone


Milestone = Annotated[float | str, BeforeValidator(_checked)]
"""Point of a stage at which the rate drops: a decimal fraction, or a ratio of epochs as a text such as "60/90"."""


class StepConfig(ScheduleConfig):
    """Options of `Step`."""

    milestones: tuple[Milestone, ...] = Field(
        (0.67, 0.89),
        description="Points at which the rate drops, as fractions of the epochs of the stage. A ratio is exact: 60/90 "
        "is the end of epoch 60 of 90.",
    )
    decay: float = Field(0.1, gt=0, le=1, description="Factor of the rate at each milestone.")


Schedule = Annotated[SerializeAsAny[ScheduleConfig], Plugin("schedule")]
"""Section of a learning-rate schedule: a name, or a mapping of name and options."""
