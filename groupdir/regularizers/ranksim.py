"""RankSim: the more similar two features are, the nearer their labels should be."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from groupdir.config.method import RegularizerConfig
from groupdir.data.base import Targets
from groupdir.losses import ranksim_loss
from groupdir.regularizers.base import FeatureRegularizer


class RankSimConfig(RegularizerConfig):
    """Options of `RankSim`."""

    factor: float = Field(100.0, ge=0, description="Of the term in the loss; published: 100 on ages, 3e-4 on STS-B.")
    interpolation: float = Field(2.0, gt=0, description="Step of the difference quotient behind the ranks' gradient.")
    as_published: bool = Field(False, description="An unstable sort, whose ties fall as they may.")


class RankSim(FeatureRegularizer):
    """Regularizer that aligns the ranks of feature similarities with those of label similarities.

    Source: Gong et al. 2022.
    """

    Config = RankSimConfig

    def __init__(self, config: RankSimConfig, targets: Targets) -> None:
        super().__init__(config, targets)
        self.config = config

    def forward(self, z: Tensor, y: Tensor, prediction: Tensor, weight: Tensor) -> Tensor:
        """Return the term; see `FeatureRegularizer.forward`. One sample per distinct label is picked at random."""
        return ranksim_loss(z, y, interpolation=self.config.interpolation, as_published=self.config.as_published)
