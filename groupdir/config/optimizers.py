"""Options of the optimizers, and the type of a section that names one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SerializeAsAny

from groupdir.config.base import Plugin, PluginConfig
from groupdir.config.schedules import ConstantConfig, Schedule

Share = Annotated[float, Field(ge=0, lt=1)]


class OptimConfig(PluginConfig):
    """Base of the options of every optimizer: learning rate, schedule, weight decay and clipping in a stage."""

    lr: float = Field(1e-3, gt=0, description="Learning rate before the schedule is applied.")
    weight_decay: float = Field(1e-4, ge=0)
    schedule: Schedule = Field(
        ConstantConfig(name="constant"), description="Learning-rate schedule: a name, or a mapping of name and options."
    )
    warmup_steps: int = Field(0, ge=0, description="Steps of linear warm-up from 0.")
    grad_clip_norm: float | None = Field(None, gt=0, description="Largest norm of the gradient; null: no clipping.")


class AdamConfig(OptimConfig):
    """Options of `Adam`."""

    betas: tuple[Share, Share] = Field(
        (0.9, 0.999), description="Decay rates of the averages of gradients and of squared gradients."
    )


class AdamWConfig(AdamConfig):
    """Options of `AdamW`."""


class SGDConfig(OptimConfig):
    """Options of `SGD`."""

    momentum: Share = 0.9


Optim = Annotated[SerializeAsAny[OptimConfig], Plugin("optimizer")]
"""Section of an optimizer: a name, or a mapping of name and options. The name may be omitted for adam."""
