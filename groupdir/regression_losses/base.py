"""Base class of regression losses, modules that are built from a section of the trial."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from torch import Tensor

from groupdir.config.regression_losses import LossConfig
from groupdir.data.base import Targets
from groupdir.part import Part


class RegressionLoss(Part):
    """Regression loss of a method. Subclasses set `Config` and define `forward`.

    Args:
        config: The loss's section of the trial.
        targets: Range, bins and scale of the labels.
        train_y: (N,) labels of the training samples.
    """

    Config: ClassVar[type[LossConfig]]

    def __init__(self, config: LossConfig, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__()

    def forward(self, prediction: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        """Return the mean over a batch, a scalar.

        Args:
            prediction: `(B,)` predictions in the network's units, (y - center) / scale.
            target: `(B,)` targets in the network's units.
            weight: `(B,)` sample weights, of mean 1 over the training set.
        """
        raise TypeError(f"{type(self).__name__} defines no forward")


def in_network_units(y: np.ndarray, targets: Targets) -> np.ndarray:
    """Return labels `(N,)` in the network's units, float64."""
    return (np.asarray(y, dtype=np.float64) - targets.center) / targets.scale
