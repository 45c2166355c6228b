"""RankSim: whose features are more similar should have the nearer labels."""

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
    """Ranks of feature similarities follow the ranks of label similarities.

    Source: Gong et al. 2022.
    """

    Config = RankSimConfig

    def __init__(self, config: RankSimConfig, targets: Targets) -> None:
        super().__init__(config, targets)
        self.config = config

    def forward(self, z: Tensor, y: Tensor, prediction: Tensor, weight: Tensor) -> Tensor:
        """See `FeatureRegularizer.forward`; one sample of each distinct label is drawn from torch's generator."""
        return ranksim_loss(z, y, interpolation=self.config.interpolation, as_published=self.config.as_published)
