"""Losses that know one sample at a time: squared, absolute, and Huber's."""

from __future__ import annotations

import numpy as np
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from groupdir.config.method import LossConfig
from groupdir.data.base import Targets
from groupdir.regression_losses.base import RegressionLoss


class MSE(RegressionLoss):
    """Squared error."""

    class Config(LossConfig):
        """It has no options."""

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """See `RegressionLoss.forward`."""
        return (weight * (prediction - target).square()).mean()


class L1(RegressionLoss):
    """Absolute error: the default of the published vision trainer."""

    class Config(LossConfig):
        """It has no options."""

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """See `RegressionLoss.forward`."""
        return (weight * (prediction - target).abs()).mean()


class HuberConfig(LossConfig):
    """Options of `Huber`."""

    delta: float = Field(1.0, gt=0, description="Where the square turns into a line, in the network's units.")


class Huber(RegressionLoss):
    """Squared error near zero, absolute error beyond `delta`."""

    Config = HuberConfig

    def __init__(self, config: HuberConfig, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__(config, targets, train_y)
        self.delta = config.delta

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """See `RegressionLoss.forward`."""
        return (weight * F.huber_loss(prediction, target, reduction="none", delta=self.delta)).mean()
