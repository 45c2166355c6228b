"""Options of the group losses."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from groupdir.config.base import Strict

GroupLossName = Literal["soft", "ce", "logit_adjusted", "nc", "do", "rebat"]


class NCConfig(Strict):
    """Options of group loss nc."""

    length_penalty: float = Field(0.0, ge=0, description="Of the features' mean length; published on ImageNet: 0.01.")


class DOConfig(Strict):
    """Options of group loss do."""

    reserve: float = Field(0.33, ge=0, lt=1, description="Share of the free weights that each third reserves.")
    others: float = Field(0.2, ge=0, le=1, description="Weight of the samples of other thirds.")


class ReBATConfig(Strict):
    """Options of group loss rebat."""

    decay: float = Field(0.999, ge=0, lt=1, description="Of the averaged model, per step.")
    start: float = Field(0.5, ge=0, le=1, description="Share of the stage's epochs before the averaging starts.")
    beta: float = Field(1.0, ge=0, description="Of the divergence from the averaged model.")
