"""RankSim: the more similar two features are, the nearer their labels should be."""

from __future__ import annotations

from torch import Tensor

from groupdir.config.regularizers import RankSimConfig
from groupdir.data.base import Targets
from groupdir.losses import ranksim_loss
from groupdir.regularizers.base import FeatureRegularizer


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
