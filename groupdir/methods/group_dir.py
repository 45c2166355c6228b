"""The paper's method: descending soft labels over groups, an expert per group, a contrastive loss over groups."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from groupdir.config.method import FeatureConfig
from groupdir.config.trial import OptimConfig, Strict, TrialConfig
from groupdir.data.base import Targets
from groupdir.group_losses.base import DOConfig, GroupHeadSpec, GroupLoss, GroupLossName, NCConfig, ReBATConfig
from groupdir.group_losses.decoupled import Decoupled
from groupdir.group_losses.linear import CE, LogitAdjusted, Soft
from groupdir.group_losses.neural_collapse import NeuralCollapse
from groupdir.group_losses.weight_average import WeightAverage
from groupdir.labels import Grouping, LabelGroups
from groupdir.losses import group_contrastive_loss
from groupdir.methods.base import Batch, Method, Prediction, SharedState, Stage, regression_error
from groupdir.methods.features import Features, views_of
from groupdir.models.base import Encoder

GROUP_LOSSES: dict[GroupLossName, type[GroupLoss]] = {
    "soft": Soft,
    "ce": CE,
    "logit_adjusted": LogitAdjusted,
    "nc": NeuralCollapse,
    "do": Decoupled,
    "rebat": CE,  # and the averaged model beside it
}


class PretrainConfig(Strict):
    """The contrastive stage of the two-stage recipe."""

    epochs: int = Field(100, ge=1)
    views: Literal[1, 2] = Field(2, description="2 needs a data set that augments.")
    optim: OptimConfig | None = Field(None, description="null: as the trial's.")


class GroupDIRConfig(FeatureConfig):
    """Options of `GroupDIR`."""

    has_groups: ClassVar[bool] = True

    groups: int = Field(25, ge=1, description="|G|.")
    grouping: Grouping = "equal_width"
    group_loss: GroupLossName = Field(
        "soft", description="How the group head is trained; nc: a fixed simplex; do and rebat: adaptations."
    )
    beta: float = Field(1.0, gt=0, description="Slope of the descending soft labels; group loss soft only.")
    tau: float = Field(1.0, ge=0, description="Strength of the adjustment; group loss logit_adjusted only.")
    nc: NCConfig = NCConfig()
    do: DOConfig = DOConfig()
    rebat: ReBATConfig = ReBATConfig()
    similarity: Literal["negative_l2", "cosine", "negative_unit_l2"] = "negative_l2"
    temperature: float = Field(2.5, gt=0)
    contrast_on: Literal["groups", "targets"] = Field("groups", description="targets: Rank-N-Contrast.")
    views: Literal[1, 2] = Field(
        1, description="Views of a sample in the last stage; 2 needs a data set that augments."
    )
    regression: Literal["mse", "l1"] = "mse"
    lambda_contrastive: float = Field(1.0, ge=0, description="Of L_grc, joint recipe only; the paper's is 1.")
    lambda_mse: float = Field(0.5, ge=0)
    lambda_soft: float = Field(1.0, ge=0)
    reduction: Literal["mean", "authors"] = Field(
        "mean", description="authors: the group loss is summed over the batch, as in the authors' code."
    )
    routing: Literal["hard", "soft"] = Field(
        "hard", description="hard: the predicted group's expert; soft: experts weighed by the group's probability."
    )
    expert_bias: Literal["center", "zero"] = Field(
        "center", description="Where an expert starts: its group's centre, or 0."
    )
    recipe: Literal["two_stage", "joint"] = "two_stage"
    pretrain: PretrainConfig = PretrainConfig()
    encoder_lr: float = Field(
        1.0, ge=0, description="Factor of the encoder's rate in the second of two stages; 0 freezes it."
    )

    @model_validator(mode="after")
    def _something_to_train(self) -> Self:
        if self.lambda_mse == 0:
            raise ValueError("lambda_mse must be > 0, got 0: the experts would never be trained")
        return self


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

    def stages(self, trial: TrialConfig) -> tuple[Stage, ...]:
        """One joint stage, or the contrastive pre-training and then the heads."""
        config = self.config
        views = max(config.views, views_of(config))
        if config.recipe == "joint":
            return (Stage("fit", trial.train.epochs, trial.optim, views),)
        pretrain = config.pretrain
        first = Stage("pretrain", pretrain.epochs, pretrain.optim or trial.optim, pretrain.views, predicts=False)
        return first, Stage("fit", trial.train.epochs, trial.optim, views, config.encoder_lr)

    def shared(self, stage: Stage) -> SharedState:
        """The contrastive loss and its groups decide the encoder; heads are as they were made (but for `rebat`'s)."""
        if self.average is not None:
            return super().shared(stage)
        options = ["name", "similarity", "temperature", "contrast_on"]
        if self.config.contrast_on == "groups":
            options += ["groups", "grouping"]
        return SharedState({name: getattr(self.config, name) for name in options}, ("encoder.",))

    def losses(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Terms `contrastive`, `regression` and `group` (as the stage has them) before their lambdas, and `loss`."""
        z = self.encoder(*batch.inputs)
        y = batch.y.repeat(batch.views)
        group = (self.label_groups.assign(batch.y) if batch.group is None else batch.group).repeat(batch.views)
        if stage == "pretrain":
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
