"""Deep evidential regression, whose head predicts a distribution over means and variances."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from groupdir.config.methods import DERConfig
from groupdir.data.base import Targets
from groupdir.losses import evidential_loss, evidential_parameters
from groupdir.methods.base import Batch, Prediction
from groupdir.methods.regressor import Regressor
from groupdir.models.base import Encoder


class DER(Regressor):
    """Deep evidential regression: a normal-inverse-gamma head, trained by its marginal likelihood.

    With `weights` and `smoothing` this is the row LDS+FDS+DER of the field's tables.

    Source: Amini et al. 2020; the weighted loss as in Wang and Wang 2023 (VIR).
    """

    Config = DERConfig

    def __init__(self, config: DERConfig, encoder: Encoder, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__(config, encoder, targets, train_y)
        self.config = config
        self.head = nn.Linear(encoder.dim, 4)

    def fit_losses(self, z: Tensor, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Return the evidential loss, and the predicted means in label units."""
        outputs = self.head(z).float()
        target, weight = self.repeated(batch)
        with torch.autocast(outputs.device.type, enabled=False):
            parameters = evidential_parameters(
                outputs, sharpness=self.config.sharpness, beta_scale=self.config.beta_scale
            )
            loss = evidential_loss(parameters, target, coefficient=self.config.coefficient, weight=weight)
        return {"loss": loss}, self.unscaled(outputs[:, 0])

    def predict(self, *inputs: Tensor) -> Prediction:
        """Return the predicted means."""
        return Prediction(self.unscaled(self.head(self.encoder(*inputs))[:, 0]))
