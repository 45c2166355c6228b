"""Method of the paper: descending soft labels over groups, an expert per group, a contrastive loss over groups."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from groupdir.config.methods import PRETRAIN, GroupDIRConfig
from groupdir.config.stage import Stage
from groupdir.data.base import Targets
from groupdir.group_losses.base import GroupHead, GroupLoss
from groupdir.labels import LabelGroups
from groupdir.losses import group_contrastive_loss
from groupdir.methods.base import Batch, Method, Prediction, regression_error
from groupdir.methods.features import Features
from groupdir.models.base import Encoder
from groupdir.registry import resolve


class GroupDIR(Method):
    """Group classification with descending soft labels, an expert per group, and the group contrastive loss.

    L = lambda_contrastive L_grc + lambda_mse L_mse + lambda_soft L_soft. In training the true group chooses the expert.
    At inference the predicted group does. One linear layer of 2 G outputs holds the group head (first G) and the
    experts (last G).

    Source: Pu et al. 2025, Eq. 2 to 5.

    Differences from the source:

    - Losses are means over the batch. Eq. 3 and 4 are sums; `reduction="authors"` mixes them as the authors' code does.
    - Eq. 4 gets its missing minus.
    - Groups are equal intervals of the label range, clamped.
    - Each expert starts at the centre of its group.
    - Targets are scaled as the data set says.
    - Group losses other than the soft labels are described in `groupdir.group_losses`. `do` and `rebat` are our
      adaptations.
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
        head = GroupHead(encoder, self.head, counts.clamp(min=1))
        self.group_loss: GroupLoss = resolve("group_loss", config.group_loss.name)(config.group_loss, head)
        self.features = Features(config, targets, encoder.dim)

    def changed(self, stage: Stage) -> tuple[str, ...]:
        """Return the names that the pre-training changes: the encoder's, or all if it changes the group loss too."""
        return super().changed(stage) if self.config.group_loss.changes_in_pretraining else ("encoder.",)

    def losses(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Return `loss` and the stage's terms of `contrastive`, `regression` and `group`, before their lambdas."""
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
        classification = self.group_loss.loss(smooth, logits, group, batch.inputs)
        if config.reduction == "authors":
            classification = classification * len(group)
        terms = {"regression": regression, "group": classification}
        loss = config.lambda_mse * regression + config.lambda_soft * classification
        if config.recipe == "joint" and config.lambda_contrastive > 0:
            terms["contrastive"] = self._contrastive(z, y, group)
            loss = loss + config.lambda_contrastive * terms["contrastive"]
        return self.features.regularize({"loss": loss, **terms}, z, batch, self.unscaled(chosen))

    def predict(self, *inputs: Tensor) -> Prediction:
        """Return the value of the predicted group's expert, or with soft routing the mean weighted by probability."""
        encoder, layer = self.group_loss.predictors()
        z = encoder(*inputs)
        logits, experts = layer(z).float().chunk(2, dim=1)
        logits = self.group_loss.logits(z, logits).float()
        group, experts = logits.argmax(1), self.unscaled(experts)
        if self.config.routing == "soft":
            return Prediction((logits.softmax(1) * experts).sum(1), group, experts)
        return Prediction(experts.gather(1, group[:, None]).squeeze(1), group, experts)

    def true_group(self, y: Tensor) -> Tensor:
        """Return the group (B,) of each target."""
        return self.label_groups.assign(y)

    def _contrastive(self, z: Tensor, y: Tensor, group: Tensor) -> Tensor:
        """Return the contrastive loss over groups, or over targets if `contrast_on` says so."""
        on = group if self.config.contrast_on == "groups" else y
        return group_contrastive_loss(z, on, self.config.temperature, self.config.similarity)
