"""What a regularizer is: a term of the loss that looks at the features of a batch."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from groupdir.config.method import RegularizerConfig
from groupdir.data.base import Targets
from groupdir.part import Part


class FeatureRegularizer(Part):
    """A regularizer. Subclasses set `Config` and define `forward`.

    Args:
        config: Its section of the trial.
        targets: What the labels mean.
    """

    Config: ClassVar[type[RegularizerConfig]]

    def __init__(self, config: RegularizerConfig, targets: Targets) -> None:
        super().__init__()

    def forward(self, z: Tensor, y: Tensor, prediction: Tensor, weight: Tensor) -> Tensor:
        """The term, a scalar, before its factor.

        Args:
            z: `(B, D)` the encoder's features, before any smoothing.
            y: `(B,)` targets in label units.
            prediction: `(B,)` in label units.
            weight: `(B,)` sample weights, of mean 1 over the training set.
        """
        raise TypeError(f"{type(self).__name__} defines no forward")
