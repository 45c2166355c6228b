"""Focal-R, which gives samples with larger errors more weight."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from groupdir.config.regression_losses import FocalConfig
from groupdir.data.base import Targets
from groupdir.losses import focal_loss
from groupdir.regression_losses.base import RegressionLoss


class Focal(RegressionLoss):
    """Focal-R, which multiplies each error by a growing function of the error.

    Source: Yang et al. 2021 (FOCAL-R). Published settings: l1, beta 0.2, gamma 1 on ages; mse, beta 20, gamma 1 on y /
        5
    of STS-B. The beta on ages is per year: if the network's unit is s years, set 0.2 s.
    """

    Config = FocalConfig

    def __init__(self, config: FocalConfig, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__(config, targets, train_y)
        self.config = config

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """See `RegressionLoss.forward`."""
        config = self.config
        return focal_loss(
            prediction,
            target,
            base=config.base,
            beta=config.beta,
            gamma=config.gamma,
            activation=config.activation,
            weight=weight,
        )
