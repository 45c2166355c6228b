"""Options of the resamplers, and how a section names one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SerializeAsAny

from groupdir.config.base import Plugin, PluginConfig


class ResamplingConfig(PluginConfig):
    """What every resampler takes: its name."""


class SMOTERConfig(ResamplingConfig):
    """Options of `SMOTER`."""

    neighbors: int = Field(5, ge=1)
    ratio: float = Field(1.0, ge=0, le=1, description="How far the sizes of rare and frequent runs are evened out.")
    undersample: bool = Field(True, description="Whether frequent labels lose samples.")
    rare: Literal["count", "relevance"] = Field(
        "count", description="count: few samples in and near the label's bin; relevance: the published box-plot rule."
    )
    threshold: float = Field(
        0.5, gt=0, description="count: rare is below this share of a mean bin's samples; relevance: rare is above it."
    )


class SMOGNConfig(SMOTERConfig):
    """Options of `SMOGN`."""

    perturbation: float = Field(0.02, ge=0, description="Size of the noise, in standard deviations.")


Resampling = Annotated[SerializeAsAny[ResamplingConfig], Plugin("resampling")]
"""A resampler: its name, or a mapping with its name and options."""
