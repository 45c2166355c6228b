"""Variational autoencoder of the field's tables: a regressor on a random code that also reconstructs the inputs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groupdir.config.methods import VAEConfig
from groupdir.data.base import Targets
from groupdir.losses import gaussian_kl_loss
from groupdir.methods.base import Batch, Prediction
from groupdir.methods.regressor import Regressor
from groupdir.models.base import Encoder
from groupdir.models.decoder import Decoder
from groupdir.registry import resolve
from groupdir.regression_losses.base import RegressionLoss


class VAE(Regressor):
    """Linear regressor on the code of a variational autoencoder. At inference the code is its mean.

    Source: the VAE rows of Pu et al. 2025 and of Wang and Wang 2023.

    Differences from the source: neither paper publishes the script behind its row, so this is our interpretation. One
    linear layer computes the code's mean and its variance, by softplus, from the encoder's features. A small decoder
    reconstructs pictures (at most 32x32), vectors, or [|u - v|, u * v] of a pair. The regression and the reconstruction
    are means.
    """

    Config = VAEConfig

    def __init__(self, config: VAEConfig, encoder: Encoder, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__(config, encoder, targets, train_y)
        self.config = config
        self.code = nn.Linear(encoder.dim, 2 * config.code)
        self.head = nn.Linear(config.code, 1)
        self.decoder = Decoder(config.code, encoder.spec) if config.lambda_reconstruction > 0 else None
        self.loss: RegressionLoss = resolve("regression_loss", config.loss.name)(config.loss, targets, train_y)

    def fit_losses(self, z: Tensor, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Return `loss` and the terms `regression`, `kl` and `reconstruction` before their lambdas; and predictions."""
        mean, variance = self._code(z)
        code = mean + variance.sqrt() * torch.randn_like(mean)
        value = self.head(code).squeeze(-1).float()
        target, weight = self.repeated(batch)
        with torch.autocast(value.device.type, enabled=False):
            regression = self.loss(value, target, weight)
        kl = gaussian_kl_loss(mean, variance)
        terms = {"regression": regression, "kl": kl}
        loss = regression + self.config.lambda_kl * kl
        if self.decoder is not None:
            terms["reconstruction"] = self.decoder.error(code, *batch.inputs)
            loss = loss + self.config.lambda_reconstruction * terms["reconstruction"]
        return {"loss": loss, **terms}, self.unscaled(value)

    def predict(self, *inputs: Tensor) -> Prediction:
        """Return the output of the head for the mean of the code, in label units."""
        mean, _ = self._code(self.encoder(*inputs))
        return Prediction(self.unscaled(self.head(mean).squeeze(-1)))

    def _code(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance `(B, code)` of the code, in float32."""
        mean, spread = self.code(z).float().chunk(2, dim=1)
        return mean, F.softplus(spread) + 1e-6
