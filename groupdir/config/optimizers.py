"""Options of the optimizers, and how a section names one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SerializeAsAny

from groupdir.config.base import Plugin, PluginConfig
from groupdir.config.schedules import ConstantConfig, Schedule

Share = Annotated[float, Field(ge=0, lt=1)]


class OptimConfig(PluginConfig):
    """What every optimizer takes: the learning rate over one stage of the training, decay and clipping."""

    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    schedule: Schedule = Field(
        ConstantConfig(name="constant"), description="Its name, or a mapping of its name and options."
    )
    warmup_steps: int = Field(0, ge=0, description="Steps of linear warm-up from 0.")
    grad_clip_norm: float | None = Field(None, gt=0)


class AdamConfig(OptimConfig):
    """Options of `Adam`."""

    betas: tuple[Share, Share] = Field((0.9, 0.999), description="Decay of the averages of gradients and of squares.")


class AdamWConfig(AdamConfig):
    """Options of `AdamW`."""


class SGDConfig(OptimConfig):
    """Options of `SGD`."""

    momentum: Share = 0.9


Optim = Annotated[SerializeAsAny[OptimConfig], Plugin("optimizer")]
"""An optimizer: its name, or a mapping with its options and, unless it is adam, its name."""
