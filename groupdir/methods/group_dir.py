"""The paper's method: descending soft labels over groups, an expert per group, a contrastive loss over groups."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from groupdir.config.group_losses import GroupLossName
from groupdir.config.methods import PRETRAIN, GroupDIRConfig
from groupdir.config.stage import Stage
from groupdir.data.base import Targets
from groupdir.group_losses.base import GroupHeadSpec, GroupLoss
from groupdir.group_losses.decoupled import Decoupled
from groupdir.group_losses.linear import CE, LogitAdjusted, Soft
from groupdir.group_losses.neural_collapse import NeuralCollapse
from groupdir.group_losses.weight_average import WeightAverage
from groupdir.labels import LabelGroups
from groupdir.losses import group_contrastive_loss
from groupdir.methods.base import Batch, Method, Prediction, regression_error
from groupdir.methods.features import Features
from groupdir.models.base import Encoder

GROUP_LOSSES: dict[GroupLossName, type[GroupLoss]] = {
    "soft": Soft,
    "ce": CE,
    "logit_adjusted": LogitAdjusted,
    "nc": NeuralCollapse,
    "do": Decoupled,
    "rebat": CE,  # and the averaged model beside it
}


class GroupDIR(Method):
    """Group classification with descending soft labels, an expert per group, and the group contrastive loss.

    L = lambda_contrastive L_grc + lambda_mse L_mse + lambda_soft L_soft. In training the true group chooses the expert,
    at inference the predicted one. One linear layer of 2 G outputs holds the group head (first G) and the experts
    (last G).

    Source: Pu et al. 2025, Eq. 2 to 5.

    Differences from the source: losses are means over the batch (Eq. 3 and 4 are sums; `reduction="authors"` is their
    code's mixture); Eq. 4 gets its missing minus; groups are equal intervals of the label range, clamped; experts start
    at their group's centre; targets are scaled as the data set says. The criteria beside the soft labels are described
    where they are (`groupdir.group_losses`); `do` and `rebat` are adaptations of ours.
    """

    Config = GroupDIRConfig

    def __init__(self, config: GroupDIRConfig, encoder: Encoder, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__(config, encoder, targets, train_y)
        self.config = config
        self.label_groups = LabelGroups.by_rule(config.grouping, config.groups, targets.low, targets.high, train_y)
        counts = torch.bincount(self.label_groups.assign(torch.from_numpy(np.array(train_y))), minlength=config.groups)
        self.head = nn.Linear(encoder.dim, 2 * config.groups)
        if config.expert_bias == "center":
            with torch.no_grad():
                self.head.bias[config.groups :] = self.scaled(self.label_groups.centers).float()
        self.group_loss = GROUP_LOSSES[config.group_loss](_head_spec(config, encoder.dim, counts.clamp(min=1)))
        average = config.group_loss == "rebat"
        self.average = WeightAverage(encoder, self.head, config.groups, config.rebat) if average else None
        self.features = Features(config, targets, encoder.dim)

    def changed(self, stage: Stage) -> tuple[str, ...]:
        """Return the encoder, since the heads are as they were made; an averaged model changes too."""
        return ("encoder.",) if self.average is None else super().changed(stage)

    def losses(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Terms `contrastive`, `regression` and `group` (as the stage has them) before their lambdas, and `loss`."""
        z = self.encoder(*batch.inputs)
        y = batch.y.repeat(batch.views)
        group = (self.label_groups.assign(batch.y) if batch.group is None else batch.group).repeat(batch.views)
        if stage == PRETRAIN:
            contrastive = self._contrastive(z, y, group)
            return {"loss": contrastive, "contrastive": contrastive}
        config, weight = self.config, batch.weight.repeat(batch.views)
        smooth = self.features.smooth(z, batch)
        outputs = self.head(smooth)
        logits, experts = outputs[:, : config.groups], outputs[:, config.groups :]
        chosen = experts.gather(1, group[:, None]).squeeze(1)
        regression = (weight * regression_error(chosen, self.scaled(y), config.regression)).mean()
        classification = self.group_loss.loss(smooth, logits, group)
        if self.average is not None:
            classification = classification + self.average.divergence(logits, *batch.inputs)
        terms = {"regression": regression, "group": classification}
        loss = config.lambda_mse * regression + config.lambda_soft * classification
        if config.recipe == "joint" and config.lambda_contrastive > 0:
            terms["contrastive"] = self._contrastive(z, y, group)
            loss = loss + config.lambda_contrastive * terms["contrastive"]
        return self.features.regularize({"loss": loss, **terms}, z, batch, self.unscaled(chosen))

    def predict(self, *inputs: Tensor) -> Prediction:
        """Routes by the predicted group, or mixes by its probability."""
        if self.average is not None:
            logits, experts = self.average(*inputs).float().chunk(2, dim=1)
        else:
            z = self.encoder(*inputs)
            logits, experts = self.head(z).float().chunk(2, dim=1)
            logits = self.group_loss.logits(z, logits).float()
        group, experts = logits.argmax(1), self.unscaled(experts)
        if self.config.routing == "soft":
            return Prediction((logits.softmax(1) * experts).sum(1), group, experts)
        return Prediction(experts.gather(1, group[:, None]).squeeze(1), group, experts)

    def true_group(self, y: Tensor) -> Tensor:
        """The group of each target."""
        return self.label_groups.assign(y)

    def _contrastive(self, z: Tensor, y: Tensor, group: Tensor) -> Tensor:
        on = group if self.config.contrast_on == "groups" else y
        return group_contrastive_loss(z, on, self.config.temperature, self.config.similarity)


def _head_spec(config: GroupDIRConfig, dim: int, counts: Tensor) -> GroupHeadSpec:
    reduction: Literal["mean", "sum"] = "sum" if config.reduction == "authors" else "mean"
    return GroupHeadSpec(dim, counts, config.beta, config.tau, reduction, config.nc, config.do)
