"""Options of the regularizers, and how a section names one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SerializeAsAny

from groupdir.config.base import Plugin, PluginConfig


class RegularizerConfig(PluginConfig):
    """What every regularizer takes."""

    factor: float = Field(1.0, ge=0, description="Of the term in the loss.")
    views: Literal[1, 2] = Field(1, description="Views of each sample in a batch; 2 needs a data set that augments.")


class RankSimConfig(RegularizerConfig):
    """Options of `RankSim`."""

    factor: float = Field(100.0, ge=0, description="Of the term in the loss; published: 100 on ages, 3e-4 on STS-B.")
    interpolation: float = Field(2.0, gt=0, description="Step of the difference quotient behind the ranks' gradient.")
    as_published: bool = Field(False, description="An unstable sort, whose ties fall as they may.")


class ConRConfig(RegularizerConfig):
    """Options of `ConR`."""

    factor: float = Field(4.0, ge=0, description="Of the term in the loss.")
    views: Literal[1, 2] = Field(2, description="2 needs a data set that augments; with 1 lone labels add nothing.")
    window: float = Field(1.0, gt=0, description="Labels at most this far apart are alike, in label bins.")
    eta: float = Field(0.01, ge=0, description="How much harder pairs push whose labels are far apart, per bin.")
    temperature: float = Field(0.07, gt=0)
    as_published: bool = Field(False, description="The published code's behaviour where it differs, if it trains.")


Regularizer = Annotated[SerializeAsAny[RegularizerConfig], Plugin("regularizer")]
"""A term of the loss that shapes the features: its name, or a mapping with its name and options."""
