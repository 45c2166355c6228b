"""Linear regressor on the features, with any loss and any options: most rows of the field's tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from groupdir.config.methods import VanillaConfig
from groupdir.config.regression_losses import LossConfig
from groupdir.config.stage import Stage
from groupdir.data.base import Targets
from groupdir.methods.base import Batch, Prediction
from groupdir.methods.regressor import Regressor
from groupdir.models.base import Encoder
from groupdir.registry import resolve
from groupdir.regression_losses.base import RegressionLoss


class Vanilla(Regressor):
    """Linear regressor on the features. Its options turn it into LDS, FDS, RRT, Focal-R, RankSim and more.

    - `weights`: INV, SQINV and LDS of Yang et al. 2021.
    - `smoothing`: FDS.
    - `pretrain`: RRT, and the linear probe of Rank-N-Contrast.
    - `loss`: Focal-R and the balanced MSEs.
    - `regularizer`: RankSim and ConR.
    - `resampling`: SMOTER and SMOGN.

    Source: the VANILLA rows of Yang et al. 2021.

    Differences from the source: targets are scaled as the data set says. The default loss is MSE, whereas the published
    vision trainer uses L1.
    """

    Config = VanillaConfig

    def __init__(self, config: VanillaConfig, encoder: Encoder, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__(config, encoder, targets, train_y)
        self.config = config
        self.head = nn.Linear(encoder.dim, 1)
        self.loss = _loss(config.loss, targets, train_y)
        first = config.pretrain.loss if config.pretrain is not None else None
        self.first_loss = None if first is None else _loss(first, targets, train_y)

    def changed(self, stage: Stage) -> tuple[str, ...]:
        """Return the prefix of the encoder and, if the first stage is a regression, those of the head and its loss."""
        plan = self.plan.pretrain
        assert plan is not None
        if plan.by == "rank_n_contrast":
            return ("encoder.",)
        return "encoder.", "head.", "loss." if plan.loss is None else "first_loss."

    def fit_losses(self, z: Tensor, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Return the regression loss, and the predictions in label units."""
        return self._losses(self.loss, z, batch)

    def pretrain_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the regression loss of the first stage, or the terms of `Regressor` if that stage sets no loss."""
        if self.first_loss is None:
            return super().pretrain_losses(batch)
        plain = replace(batch, weight=torch.ones_like(batch.weight))
        return self._losses(self.first_loss, self.encoder(*batch.inputs), plain)[0]

    def predict(self, *inputs: Tensor) -> Prediction:
        """Return the output of the head in label units."""
        return Prediction(self.unscaled(self.head(self.encoder(*inputs)).squeeze(-1)))

    def _losses(self, loss: RegressionLoss, z: Tensor, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Return the value of a regression loss, and the predictions in label units."""
        value = self.head(z).squeeze(-1)
        value = value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
        target, weight = self.repeated(batch)
        with torch.autocast(value.device.type, enabled=False):
            return {"loss": loss(value, target, weight)}, self.unscaled(value)


def _loss(config: LossConfig, targets: Targets, train_y: np.ndarray) -> RegressionLoss:
    """Return the regression loss that a section of the trial names."""
    loss: RegressionLoss = resolve("regression_loss", config.name)(config, targets, train_y)
    return loss
