"""What a regression loss is to a method: a module made from its section of the YAML."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from torch import Tensor

from groupdir.config.regression_losses import LossConfig
from groupdir.data.base import Targets
from groupdir.part import Part


class RegressionLoss(Part):
    """A regression loss. Subclasses set `Config` and define `forward`.

    Args:
        config: Its section of the trial.
        targets: What the labels mean.
        train_y: (N,) labels of the training samples.
    """

    Config: ClassVar[type[LossConfig]]

    def __init__(self, config: LossConfig, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__()

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """The mean over a batch, a scalar.

        Args:
            prediction: `(B,)` in the network's units, (y - center) / scale.
            target: `(B,)` in the network's units.
            weight: `(B,)` sample weights, of mean 1 over the training set.
        """
        raise TypeError(f"{type(self).__name__} defines no forward")


def in_network_units(y: np.ndarray, targets: Targets) -> np.ndarray:
    """Labels `(N,)` as the network sees them, float64."""
    return (np.asarray(y, dtype=np.float64) - targets.center) / targets.scale
