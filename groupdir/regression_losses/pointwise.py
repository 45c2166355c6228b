"""Losses of single samples: squared, absolute and Huber error."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from groupdir.config.regression_losses import HuberConfig, L1Config, MSEConfig
from groupdir.data.base import Targets
from groupdir.regression_losses.base import RegressionLoss


class MSE(RegressionLoss):
    """Mean squared error."""

    Config = MSEConfig

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """See `RegressionLoss.forward`."""
        return (weight * (prediction - target).square()).mean()


class L1(RegressionLoss):
    """Mean absolute error, the default of the published vision trainer."""

    Config = L1Config

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """See `RegressionLoss.forward`."""
        return (weight * (prediction - target).abs()).mean()


class Huber(RegressionLoss):
    """Squared error near zero, absolute error beyond `delta`."""

    Config = HuberConfig

    def __init__(self, config: HuberConfig, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__(config, targets, train_y)
        self.delta = config.delta

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """See `RegressionLoss.forward`."""
        return (weight * F.huber_loss(prediction, target, reduction="none", delta=self.delta)).mean()
