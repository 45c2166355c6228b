"""Options of the group losses, and how a section names one."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, SerializeAsAny

from groupdir.config.base import Plugin, PluginConfig


class GroupLossConfig(PluginConfig):
    """What every group loss takes: its name."""

    changes_in_pretraining: ClassVar[bool] = False
    """Whether the state of the group loss changes in a first stage, which does not use it, as an average over steps
    does. If so, trials share a first stage only where all options of the method are equal."""


Slope = Annotated[float, Field(gt=0)]
"""Slope of the descending soft labels; the log-ratio of the labels of neighbouring groups."""


class SoftConfig(GroupLossConfig):
    """Options of `Soft`."""

    beta: Slope = Field(1.0, description="Slope of the descending soft labels.")


class CEConfig(GroupLossConfig):
    """Options of `CE`: none."""


class LogitAdjustedConfig(GroupLossConfig):
    """Options of `LogitAdjusted`."""

    tau: float = Field(1.0, ge=0, description="Strength of the adjustment.")


class NeuralCollapseConfig(GroupLossConfig):
    """Options of `NeuralCollapse`."""

    length_penalty: float = Field(0.0, ge=0, description="Of the features' mean length; published on ImageNet: 0.01.")


class DecoupledConfig(GroupLossConfig):
    """Options of `Decoupled`."""

    reserve: float = Field(0.33, ge=0, lt=1, description="Share of the free weights that each third reserves.")
    others: float = Field(0.2, ge=0, le=1, description="Weight of the samples of other thirds.")


class ReBATConfig(GroupLossConfig):
    """Options of `ReBAT`."""

    changes_in_pretraining: ClassVar[bool] = True  # the average follows the encoder from the first step

    decay: float = Field(0.999, ge=0, lt=1, description="Of the averaged model, per step.")
    start: float = Field(0.5, ge=0, le=1, description="Share of the stage's epochs before the averaging starts.")
    beta: float = Field(1.0, ge=0, description="Factor of the divergence from the averaged model.")


GroupLoss = Annotated[SerializeAsAny[GroupLossConfig], Plugin("group_loss")]
"""A group loss: its name, or a mapping with its name and options."""
