"""The plain regressor that every table of the field starts with."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field
from torch import Tensor, nn

from groupdir.config import MethodConfig
from groupdir.data.base import Targets
from groupdir.methods.base import Batch, Method, Prediction, regression_error
from groupdir.models.base import Encoder


class VanillaConfig(MethodConfig):
    """Options of `Vanilla`."""

    loss: Literal["mse", "l1", "huber"] = Field("mse", description="On the scaled targets.")
    delta: float = Field(1.0, gt=0, description="Of huber, in the network's units.")


class Vanilla(Method):
    """One linear regressor on the features: L1, MSE or Huber, with sample weights if the trial has any.

    Source: the VANILLA rows of Yang et al. 2021; with `weights` their INV, SQINV and LDS rows.

    Differences from the source: targets are scaled as the data set says, and the default is MSE where their vision
    trainer takes L1.
    """

    Config = VanillaConfig

    def __init__(self, config: VanillaConfig, encoder: Encoder, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__(config, encoder, targets, train_y)
        self.config = config
        self.head = nn.Linear(encoder.dim, 1)

    def losses(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """The weighted mean of the errors."""
        value = self.head(self.encoder(*batch.inputs)).squeeze(-1)
        error = regression_error(value, self.scaled(batch.y), self.config.loss, self.config.delta)
        return {"loss": (batch.weight * error).mean()}

    def predict(self, *inputs: Tensor) -> Prediction:
        """The head's output in label units."""
        return Prediction(self.unscaled(self.head(self.encoder(*inputs)).squeeze(-1)))
