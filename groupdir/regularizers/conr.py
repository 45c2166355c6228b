"""ConR: push features apart whose predictions are near although their labels are far apart."""

from __future__ import annotations

from torch import Tensor

from groupdir.config.regularizers import ConRConfig
from groupdir.data.base import Targets
from groupdir.losses import conr_loss
from groupdir.regularizers.base import FeatureRegularizer


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
