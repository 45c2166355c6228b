"""Options of the regularizers, and the type of a section that names one."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SerializeAsAny

from groupdir.config.base import Plugin, PluginConfig


class RegularizerConfig(PluginConfig):
    """Base of the options of every regularizer."""

    factor: float = Field(1.0, ge=0, description="Factor of the regularizer in the loss.")
    views: Literal[1, 2] = Field(1, description="Views of each sample in a batch; 2 requires a data set that augments.")


class RankSimConfig(RegularizerConfig):
    """Options of `RankSim`."""

    factor: float = Field(
        100.0,
        ge=0,
        description="Factor of the regularizer in the loss; published: 100 next to L1 on ages in years, 3e-4 on STS-B.",
    )
    interpolation: float = Field(
        2.0,
        gt=0,
        description="Step of the difference quotient that is the gradient of the ranks. The gradient depends on its "
        "product with the factor, so a tenth of the factor needs ten times the interpolation. Published: 2.",
    )
    as_published: bool = Field(
        False, description="Rank with an unstable sort, as in the published code, so the order of ties is arbitrary."
    )


class ConRConfig(RegularizerConfig):
    """Options of `ConR`."""

    factor: float = Field(4.0, ge=0, description="Factor of the regularizer in the loss.")
    views: Literal[1, 2] = Field(
        2,
        description="Views of each sample; 2 requires a data set that augments. With 1, a label that occurs once adds "
        "nothing.",
    )
    window: float = Field(
        1.0, gt=0, description="Largest difference between labels that count as similar, in label bins."
    )
    eta: float = Field(0.01, ge=0, description="Increase of the repulsion of a pair, per label bin between its labels.")
    temperature: float = Field(0.07, gt=0, description="Temperature of the similarities.")
    as_published: bool = Field(False, description="The published code's behaviour where it differs, if it trains.")


Regularizer = Annotated[SerializeAsAny[RegularizerConfig], Plugin("regularizer")]
"""Section of a regularizer, a loss term that shapes the features: a name, or a mapping of name and options."""
