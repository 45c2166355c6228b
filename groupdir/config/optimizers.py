"""Options of the optimizers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from groupdir.config.base import Strict


class OptimConfig(Strict):
    """The optimizer and its learning rate over one stage of the training."""

    name: Literal["adam", "adamw", "sgd"] = "adam"
    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(1e-4, ge=0)
    momentum: float = Field(0.9, ge=0, lt=1, description="Of sgd; Adam's beta_1.")
    schedule: Literal["constant", "cosine", "step"] = "constant"
    warmup_steps: int = Field(0, ge=0, description="Steps of linear warm-up from 0.")
    milestones: tuple[float, ...] = Field(
        (0.67, 0.89), description="Of schedule step: fractions of the stage's epochs."
    )
    decay: float = Field(0.1, gt=0, le=1, description="Of schedule step: factor at each milestone.")
    min_lr_ratio: float = Field(0.0, ge=0, le=1, description="Of schedule cosine: last rate over the first.")
    grad_clip_norm: float | None = Field(None, gt=0)
