"""Base class of methods with one head on one encoder: one stage or two, smoothing, a regularizer."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from groupdir.config.methods import FIT, PRETRAIN, RegressorConfig
from groupdir.data.base import Targets
from groupdir.losses import group_contrastive_loss
from groupdir.methods.base import Batch, Method
from groupdir.methods.features import Features
from groupdir.models.base import Encoder


class Regressor(Method):
    """Method with one head on one encoder. Subclasses build `head` and define `fit_losses` and `predict`.

    With `pretrain` a first stage trains the encoder, either by the method's loss without sample weights or by the
    contrastive loss over raw targets. The second stage resets the head. It freezes the encoder unless `encoder_lr` is
    above 0.

    Source of the two stages: Kang et al. 2020 as adapted by Yang et al. 2021 (RRT), Zha et al. 2023 (Rank-N-Contrast).
    """

    head: nn.Linear

    def __init__(self, config: RegressorConfig, encoder: Encoder, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__(config, encoder, targets, train_y)
        self.plan = config
        self.features = Features(config, targets, self.feature_dim(encoder))

    def feature_dim(self, encoder: Encoder) -> int:
        """Return the width of the features that are smoothed, which `observed` returns."""
        return encoder.dim

    def begin_epoch(self, stage: str, epoch: int, epochs: int) -> None:
        """Reset the head after a pre-training."""
        if stage == FIT and epoch == 0 and self.plan.pretrain is not None:
            fresh = deepcopy(self.head).cpu()  # a GPU has random numbers of its own
            fresh.reset_parameters()
            self.head.load_state_dict(fresh.state_dict())

    def losses(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Return the terms of the stage and their sum, `loss`."""
        if stage == PRETRAIN:
            return self.pretrain_losses(batch)
        z = self.encoder(*batch.inputs)
        terms, prediction = self.fit_losses(self.features.smooth(z, batch), batch)
        return self.features.regularize(terms, z, batch, prediction)

    def pretrain_losses(self, batch: Batch) -> dict[str, Tensor]:
        """Return the terms of the first stage."""
        plan = self.plan.pretrain
        assert plan is not None
        z = self.encoder(*batch.inputs)
        if plan.by == "rank_n_contrast":
            return {"loss": group_contrastive_loss(z, batch.y.repeat(batch.views), plan.temperature, plan.similarity)}
        return self.fit_losses(z, replace(batch, weight=torch.ones_like(batch.weight)))[0]

    def fit_losses(self, z: Tensor, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Return the terms of the loss, and the predictions `(views * B,)` in label units.

        Args:
            z: `(views * B, D)` features, after smoothing.
            batch: The batch.
        """
        raise TypeError(f"{type(self).__name__} defines no fit_losses")

    def repeated(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return the targets in the network's units and the sample weights, `(views * B,)` each."""
        return self.scaled(batch.y).repeat(batch.views), batch.weight.repeat(batch.views)
