"""Variational imbalanced regression: features with means and variances, smoothed, under an evidential head."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from groupdir.bins import bins_between
from groupdir.config.methods import VIRConfig
from groupdir.config.smoothing import SmoothingConfig
from groupdir.data.base import Targets
from groupdir.losses import conjugate_parameters, evidential_loss
from groupdir.methods.base import Batch, Prediction
from groupdir.methods.features import smoothing_options
from groupdir.methods.regressor import Regressor
from groupdir.models.base import Encoder
from groupdir.models.decoder import Decoder
from groupdir.part import Part
from groupdir.smoothing import ProbabilisticSmoothing


class RandomSmoothing(Part):
    """Probabilistic smoothing during a training. It observes means and variances, concatenated to `(N, 2 D)`."""

    def __init__(self, config: SmoothingConfig, targets: Targets, dim: int) -> None:
        super().__init__()
        self.epoch = 0
        self.as_published = config.as_published
        buckets = bins_between(targets.low, targets.high, targets.bin_width)
        self.statistics = ProbabilisticSmoothing(buckets, config.start, dim, **smoothing_options(config))

    @property
    def observes(self) -> bool:
        """Return True: the statistics need the features of all training samples."""
        return True

    def begin_epoch(self, stage: str, epoch: int, epochs: int) -> None:
        """Store the number of the epoch, on which the calibration depends."""
        self.epoch = epoch

    def forward(self, mean: Tensor, variance: Tensor, bins: Tensor) -> tuple[Tensor, Tensor]:
        """Return calibrated means and variances, `(B, D)` each."""
        return self.statistics.smooth(mean, variance, bins, self.epoch)

    def observe(self, features: Tensor, bins: Tensor) -> None:
        """Add features to the statistics. The published code adds features that are smoothed already."""
        mean, variance = features.chunk(2, dim=1)
        if self.as_published:
            mean, variance = self.forward(mean, variance, bins)
        self.statistics.observe(mean, variance, bins)

    def end_epoch(self, epoch: int) -> None:
        """Use the collected statistics from the next epoch on."""
        self.statistics.advance(epoch)


class VIR(Regressor):
    """Variational imbalanced regression: features are means and variances, rare labels count as more evidence.

    The normal-inverse-gamma head (x, n, b) has gamma = x, nu = n w, alpha = 0.3 + n w / 2, beta = b. Here w is the
    weight of the sample in training and 1 at inference. A decoder reconstructs the inputs.

    Source: Wang and Wang 2023.

    Differences from the source: the encoder's features are the means, and one linear layer computes the variances,
    whereas the source changes the last block of a ResNet. The decoder is small (see `Decoder`). The smoothing differs
    as in `ProbabilisticSmoothing`.
    """

    Config = VIRConfig

    def __init__(self, config: VIRConfig, encoder: Encoder, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__(config.model_copy(update={"smoothing": None}), encoder, targets, train_y)
        self.config = config
        self.spread = nn.Linear(encoder.dim, encoder.dim)
        self.head = nn.Linear(encoder.dim, 3)
        smoothing = config.smoothing
        self.smoothing = None if smoothing is None else RandomSmoothing(smoothing, targets, encoder.dim)
        self.decoder = Decoder(encoder.dim, encoder.spec) if config.lambda_reconstruction > 0 else None

    def observed(self, batch: Batch) -> Tensor:
        """Return means and variances, concatenated to `(views * B, 2 D)`."""
        return torch.cat(self._random(self.encoder(*batch.inputs)), dim=1)

    def fit_losses(self, z: Tensor, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Return `loss` and the terms `evidence` and `reconstruction`; and the predicted means in label units."""
        mean, variance = self._random(z)
        if self.smoothing is not None:
            mean, variance = self.smoothing(mean, variance, batch.label_bins)
        code = mean + variance.sqrt() * torch.randn_like(mean)
        outputs = self.head(code).float()
        target, weight = self.repeated(batch)
        with torch.autocast(outputs.device.type, enabled=False):
            parameters = conjugate_parameters(outputs, weight, beta_scale=self.config.beta_scale)
            loss = evidential_loss(parameters, target, coefficient=self.config.coefficient)
        terms = {"evidence": loss}
        if self.decoder is not None:
            terms["reconstruction"] = self.decoder.error(code, *batch.inputs)
            loss = loss + self.config.lambda_reconstruction * terms["reconstruction"]
        return {"loss": loss, **terms}, self.unscaled(outputs[:, 0])

    def predict(self, *inputs: Tensor) -> Prediction:
        """Return the predictions for the means of the features, unsmoothed, because the label bin is unknown."""
        return Prediction(self.unscaled(self.head(self.encoder(*inputs))[:, 0]))

    def _random(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and variances `(B, D)` of the features, in float32."""
        return z.float(), F.softplus(self.spread(z).float()) + 1e-6
