"""Base class of regularizers: terms of the loss that depend on the features of a batch."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from groupdir.config.regularizers import RegularizerConfig
from groupdir.data.base import Targets
from groupdir.part import Part


class FeatureRegularizer(Part):
    """Regularizer of features. Subclasses set `Config` and define `forward`.

    Args:
        config: The `regularizer` section of the method.
        targets: Range and units of the labels.
    """

    Config: ClassVar[type[RegularizerConfig]]

    def __init__(self, config: RegularizerConfig, targets: Targets) -> None:
        super().__init__()

    def forward(self, z: Tensor, y: Tensor, prediction: Tensor, weight: Tensor) -> Tensor:
        """Return the term, a scalar, before its factor.

        Args:
            z: `(B, D)` features of the encoder, before any smoothing.
            y: `(B,)` targets in label units.
            prediction: `(B,)` in label units.
            weight: `(B,)` sample weights, of mean 1 over the training set.
        """
        raise TypeError(f"{type(self).__name__} defines no forward")
