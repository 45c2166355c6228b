"""Focal-R: samples with larger errors count more."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from groupdir.config.regression_losses import FocalConfig
from groupdir.data.base import Targets
from groupdir.losses import focal_loss
from groupdir.regression_losses.base import RegressionLoss


class Focal(RegressionLoss):
    """Focal-R: each error times a growing function of itself.

    Source: Yang et al. 2021 (FOCAL-R). Published: l1, beta 0.2, gamma 1 on ages (per year: a network unit of s years
    needs 0.2 s); mse, beta 20, gamma 1 on STS-B's y / 5.
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
