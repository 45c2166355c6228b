"""ConR: push features apart whose predictions are near although their labels are far apart."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from groupdir.config.method import RegularizerConfig
from groupdir.data.base import Targets
from groupdir.losses import conr_loss
from groupdir.regularizers.base import FeatureRegularizer


class ConRConfig(RegularizerConfig):
    """Options of `ConR`."""

    factor: float = Field(4.0, ge=0, description="Of the term in the loss.")
    views: Literal[1, 2] = Field(2, description="2 needs a data set that augments; with 1 lone labels add nothing.")
    window: float = Field(1.0, gt=0, description="Labels at most this far apart are alike, in label bins.")
    eta: float = Field(0.01, ge=0, description="How much harder pairs push whose labels are far apart, per bin.")
    temperature: float = Field(0.07, gt=0)
    as_published: bool = Field(False, description="The published code's behaviour where it differs, if it trains.")


class ConR(FeatureRegularizer):
    """Contrastive regularizer against mistaken neighbours.

    Source: Keramati et al. 2024. Published on AgeDB: factor 4, window 1 year, eta 0.01, temperature 0.07 in the code.

    Differences from the source: window and eta count label bins, which are years for ages and tenths on STS-B, where
    no setting is published. With two views, both carry the regression loss; the source adds two views to a third one.
    """

    Config = ConRConfig

    def __init__(self, config: ConRConfig, targets: Targets) -> None:
        super().__init__(config, targets)
        self.config = config
        self.bin_width = targets.bin_width

    def forward(self, z: Tensor, y: Tensor, prediction: Tensor, weight: Tensor) -> Tensor:
        """Return the term; see `FeatureRegularizer.forward`."""
        config = self.config
        return conr_loss(
            z,
            y / self.bin_width,
            prediction / self.bin_width,
            window=config.window,
            eta=config.eta,
            temperature=config.temperature,
            weight=weight,
            as_published=config.as_published,
        )
