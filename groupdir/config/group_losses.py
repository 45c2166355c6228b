"""Options of the group losses, and the type of a section that names one."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, SerializeAsAny

from groupdir.config.base import Plugin, PluginConfig


class GroupLossConfig(PluginConfig):
    """Base of the options of every group loss."""

    changes_in_pretraining: ClassVar[bool] = False
    """Whether a first stage changes the state of the group loss although it does not use the loss, as with an average
    over steps. If so, trials share a first stage only if all options of the method are equal."""


Slope = Annotated[float, Field(gt=0)]
"""Slope of the descending soft labels: the log-ratio of the labels of neighbouring groups."""


class SoftConfig(GroupLossConfig):
    """Options of `Soft`."""

    beta: Slope = Field(1.0, description="Slope of the descending soft labels.")


class CEConfig(GroupLossConfig):
    """Options of `CE`, which has none."""


class LogitAdjustedConfig(GroupLossConfig):
    """Options of `LogitAdjusted`."""

    tau: float = Field(1.0, ge=0, description="Strength of the adjustment.")


class NeuralCollapseConfig(GroupLossConfig):
    """Options of `NeuralCollapse`."""

    length_penalty: float = Field(
        0.0, ge=0, description="Weight of the penalty on the mean length of the features; published on ImageNet: 0.01."
    )


class DecoupledConfig(GroupLossConfig):
    """Options of `Decoupled`."""

    reserve: float = Field(0.33, ge=0, lt=1, description="Share of the free weights that each phase reserves.")
    others: float = Field(0.2, ge=0, le=1, description="Weight of a sample whose group belongs to another phase.")


class ReBATConfig(GroupLossConfig):
    """Options of `ReBAT`."""

    changes_in_pretraining: ClassVar[bool] = True  # the averaged model follows the encoder from the first step

    decay: float = Field(0.999, ge=0, lt=1, description="Decay of the averaged model per step.")
    start: float = Field(0.5, ge=0, le=1, description="Share of the stage's epochs before averaging starts.")
    beta: float = Field(1.0, ge=0, description="Factor of the divergence from the averaged model.")


GroupLoss = Annotated[SerializeAsAny[GroupLossConfig], Plugin("group_loss")]
"""Section of a group loss: a name, or a mapping of name and options."""
