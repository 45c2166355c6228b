"""Options of the methods, and the training stages that follow from the options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from groupdir.config.base import Strict
from groupdir.config.group_losses import GroupLoss, Slope, SoftConfig
from groupdir.config.optimizers import Optim
from groupdir.config.regression_losses import Loss
from groupdir.config.regularizers import Regularizer
from groupdir.config.smoothing import SmoothingConfig
from groupdir.config.stage import Stage
from groupdir.config.trial import DatasetConfig, MethodConfig, TrialConfig
from groupdir.config.weights import LDSConfig, SqrtInverseConfig, Weights
from groupdir.config.yamlvalues import Address
from groupdir.errors import FieldError

Grouping = Literal["equal_width", "integer_width", "equal_frequency"]
WORDS = "words cannot be reconstructed: set it to 0, or data.inputs to embeddings"
PRETRAIN, FIT = "pretrain", "fit"  # the stages of the built-in methods


class FeatureConfig(MethodConfig):
    """Base of the options of methods that learn from the features of one encoder."""

    smoothing: SmoothingConfig | None = Field(None, description="Feature distribution smoothing (FDS); null: none.")
    regularizer: Regularizer | None = Field(None, description="Loss term that shapes the features; null: none.")


class PretrainingConfig(Strict):
    """Options of a first stage that trains the encoder. The head is initialised again after the stage."""

    by: Literal["regression", "rank_n_contrast"] = Field(
        "regression",
        description="Loss of the stage. regression: that of the method, without weights (RRT, decoupled training).",
    )
    epochs: int = Field(100, ge=1, description="Epochs of the stage.")
    optim: Optim | None = Field(None, description="Optimizer of the stage; null: that of the trial.")
    views: Literal[1, 2] = Field(
        1, description="Views of each sample; 2 requires a data set that augments. Published Rank-N-Contrast: 2."
    )
    similarity: Literal["negative_l2", "cosine", "negative_unit_l2"] = Field(
        "negative_l2", description="Similarity of features in rank_n_contrast; not used otherwise."
    )
    temperature: float = Field(2.0, gt=0, description="Temperature in rank_n_contrast; not used otherwise.")
    loss: Loss | None = Field(
        None, description="Loss of the stage, for method vanilla and by regression only; null: method.loss."
    )


class RegressorConfig(FeatureConfig):
    """Base of the options of methods with a head after one encoder, trained in one or two stages."""

    pretrain: PretrainingConfig | None = Field(
        None, description="First stage that trains the encoder; null: encoder and head are trained together."
    )
    encoder_lr: float = Field(
        0.0, ge=0, description="Factor of the encoder's learning rate after a pre-training; 0 freezes the encoder."
    )
    frozen_norms: bool = Field(
        True, description="Freeze the batch-norm statistics of a frozen encoder too; published RRT, BMC and GAI: false."
    )

    def stages(self, trial: TrialConfig) -> tuple[Stage, ...]:
        """Return one stage, or the pre-training followed by the stage of the head."""
        epochs, first, views = trial.train.epochs, self.pretrain, views_of(self)
        if first is None:
            return (Stage(FIT, epochs, trial.optim, views),)
        return (
            Stage(PRETRAIN, first.epochs, first.optim or trial.optim, first.views, predicts=False),
            Stage(FIT, epochs, trial.optim, views, self.encoder_lr, frozen_norms=self.frozen_norms),
        )


class VanillaConfig(RegressorConfig):
    """Options of `Vanilla`."""

    loss: Loss = Field(
        "mse", validate_default=True, description="Regression loss: a name, or a mapping of name and options."
    )

    @model_validator(mode="after")
    def _weights_are_used(self) -> Self:
        if self.weights is not None and not self.loss.weighted:
            raise ValueError(f"loss {self.loss.name} balances by itself and takes no weights: set weights to null")
        return self

    def deciding(self, stage: Stage) -> dict[str, Any]:
        """Return the options of a contrastive pre-training, or the loss of a pre-training by regression."""
        first = self.pretrain
        assert first is not None
        if first.by == "rank_n_contrast":
            return first.model_dump(mode="json", include={"by", "similarity", "temperature"})
        return {"by": "vanilla", "loss": (first.loss or self.loss).model_dump(mode="json")}


class VAEConfig(RegressorConfig):
    """Options of `VAE`."""

    loss: Loss = Field(
        "l1", validate_default=True, description="Regression loss: a name, or a mapping of name and options."
    )
    code: int = Field(32, ge=1, description="Width of the code.")
    lambda_reconstruction: float = Field(
        0.7, ge=0, description="Weight of the mean squared error of the reconstructed inputs."
    )
    lambda_kl: float = Field(0.001, ge=0, description="Weight of the divergence of the code from the standard normal.")

    def check_inputs(self, data: DatasetConfig) -> None:
        """Refuse to reconstruct words."""
        super().check_inputs(data)
        if self.lambda_reconstruction > 0 and data.kind == "token_pair":
            raise FieldError(("lambda_reconstruction",), WORDS)


class EvidentialConfig(RegressorConfig):
    """Base of the options of methods with an evidential head."""

    coefficient: float = Field(
        0.01,
        ge=0,
        description="Weight of the penalty on evidence for wrong predictions. The published 0.01 on ages is per year: "
        "if the network's unit is s years, set 0.01 s.",
    )
    beta_scale: float = Field(
        1.0,
        gt=0,
        description="Factor of the parameter beta, which has the unit of a squared error. Published settings on ages "
        "are in years: if the network's unit is s years, set 1 / s^2.",
    )

    @model_serializer(mode="wrap")
    def _without_a_scale_of_one(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out `beta_scale` where it is 1, so that configurations from before this option keep their digests."""
        content: dict[str, Any] = handler(self)
        if self.beta_scale == 1:
            content.pop("beta_scale", None)
        return content


class DERConfig(EvidentialConfig):
    """Options of `DER`."""

    sharpness: float = Field(
        1.0,
        gt=0,
        description="Sharpness of the softplus; published imbalanced version: 0.01, whose values start at 69.",
    )


class VIRConfig(EvidentialConfig):
    """Options of `VIR`."""

    weights: Weights | None = Field(
        SqrtInverseConfig(mode="sqrt_inverse", lds=LDSConfig()),
        description="Sample weights, which scale the evidence; null: all samples weigh the same.",
    )
    smoothing: SmoothingConfig | None = Field(
        SmoothingConfig(), description="Smoothing of the means and variances of the features; null: none."
    )
    lambda_reconstruction: float = Field(
        0.7, ge=0, description="Weight of the mean squared error of the reconstructed inputs."
    )

    def check_inputs(self, data: DatasetConfig) -> None:
        """Refuse to reconstruct words."""
        super().check_inputs(data)
        if self.lambda_reconstruction > 0 and data.kind == "token_pair":
            raise FieldError(("lambda_reconstruction",), WORDS)


class PretrainConfig(Strict):
    """Options of the contrastive stage of recipe two_stage."""

    epochs: int = Field(100, ge=1, description="Epochs of the stage.")
    views: Literal[1, 2] | None = Field(
        None, description="Views of each sample; 2 requires a data set that augments. null: 2 if the data set does."
    )
    optim: Optim | None = Field(None, description="Optimizer of the stage; null: that of the trial.")


class GroupDIRConfig(FeatureConfig):
    """Options of `GroupDIR`."""

    has_groups: ClassVar[bool] = True

    groups: int = Field(25, ge=1, description="Number of groups |G|.")
    grouping: Grouping = Field("equal_width", description="Rule that cuts the label range into groups.")
    beta: Slope | None = Field(
        None, exclude=True, description="Short form of group_loss: {name: soft, beta: ...}; only for group loss soft."
    )
    group_loss: GroupLoss = Field(
        "soft", validate_default=True, description="Group loss: a name, or a mapping of name and options."
    )
    similarity: Literal["negative_l2", "cosine", "negative_unit_l2"] = Field(
        "negative_l2", description="Similarity of features in the contrastive loss."
    )
    temperature: float = Field(2.5, gt=0, description="Temperature of the contrastive loss.")
    contrast_on: Literal["groups", "targets"] = Field(
        "groups", description="Labels that the contrastive loss ranks by; targets: Rank-N-Contrast."
    )
    views: Literal[1, 2] = Field(
        1, description="Views of each sample in the last stage; 2 requires a data set that augments."
    )
    regression: Literal["mse", "l1"] = Field("mse", description="Loss of the experts.")
    lambda_contrastive: float = Field(1.0, ge=0, description="Weight of L_grc in recipe joint; the paper uses 1.")
    lambda_mse: float = Field(
        0.5,
        ge=0,
        description="Weight of the loss of the experts. The paper's 0.5 on ages is for years: 50 in units of 10 years.",
    )
    lambda_soft: float = Field(1.0, ge=0, description="Weight of the group loss.")
    reduction: Literal["mean", "authors"] = Field(
        "mean", description="Reduction of the group loss over the batch; authors: the sum, as in the authors' code."
    )
    routing: Literal["hard", "soft"] = Field(
        "hard", description="hard: expert of the predicted group; soft: mean of experts weighted by group probability."
    )
    expert_bias: Literal["center", "zero"] = Field(
        "center", description="Initial output of an expert: the centre of its group, or 0."
    )
    recipe: Literal["two_stage", "joint"] = Field(
        "two_stage", description="two_stage: contrastive stage, then heads; joint: all losses in one stage."
    )
    pretrain: PretrainConfig | None = Field(None, description="First stage of recipe two_stage; null: its defaults.")
    encoder_lr: float = Field(
        1.0, ge=0, description="Factor of the encoder's learning rate in the last stage of two_stage; 0 freezes it."
    )
    shorthands: ClassVar[Mapping[str, Address]] = {"beta": ("group_loss", "beta")}

    @field_validator("group_loss", mode="before")
    @classmethod
    def _with_beta(cls, value: Any, info: ValidationInfo) -> Any:
        """Move `beta` into the options of the soft labels. Pydantic has validated `beta` before."""
        beta = info.data.get("beta")
        section = {"name": value} if isinstance(value, str) else value
        if beta is None or not isinstance(section, Mapping):
            return value
        if section.get("name") != "soft":
            raise ValueError(f"method.beta belongs to group loss soft, got {section.get('name')!r}: remove beta")
        if "beta" in section:
            raise ValueError(f"has beta {section['beta']}, but method.beta is {beta}: remove one of them")
        return {**section, "beta": beta}

    @model_validator(mode="after")
    def _all_options_are_used(self) -> Self:
        if self.lambda_mse == 0:
            raise FieldError(("lambda_mse",), "must be > 0, got 0: the experts would never be trained")
        if self.recipe == "two_stage" and self.lambda_contrastive != 1:
            raise FieldError(
                ("lambda_contrastive",),
                f"must be 1 with recipe two_stage, whose first stage has no other loss, got "
                f"{self.lambda_contrastive:g}: remove it, or set recipe to joint",
            )
        if self.recipe == "joint" and self.pretrain is not None:
            raise FieldError(("pretrain",), "must be null with recipe joint, which has one stage: remove it")
        if self.recipe == "joint" and self.encoder_lr != 1:
            raise FieldError(
                ("encoder_lr",),
                f"must be 1 with recipe joint, which has one stage, got {self.encoder_lr:g}: remove it",
            )
        # `beta` has the same value in its short and its long form. It is excluded from the YAML and the digest.
        self.__dict__["beta"] = self.group_loss.beta if isinstance(self.group_loss, SoftConfig) else None
        return self

    def for_views(self, augments: bool) -> Self:
        """Return the options with the views of the contrastive stage."""
        if self.pretrain is None or self.pretrain.views is not None:
            return self
        pretrain = self.pretrain.model_copy(update={"views": views_for(augments)})
        return self.model_copy(update={"pretrain": pretrain})

    def stages(self, trial: TrialConfig) -> tuple[Stage, ...]:
        """Return one joint stage, or the contrastive stage followed by the stage of the heads."""
        epochs, views = trial.train.epochs, max(self.views, views_of(self))
        if self.recipe == "joint":
            return (Stage(FIT, epochs, trial.optim, views),)
        first = self.pretrain or PretrainConfig()
        first_views = first.views or views_for(trial.augments)
        return (
            Stage(PRETRAIN, first.epochs, first.optim or trial.optim, first_views, predicts=False),
            Stage(FIT, epochs, trial.optim, views, self.encoder_lr),
        )

    def deciding(self, stage: Stage) -> dict[str, Any]:
        """Return the options of the contrastive loss and its groups, or all if the stage changes the group loss."""
        if self.group_loss.changes_in_pretraining:
            return super().deciding(stage)
        names = {"name", "similarity", "temperature", "contrast_on"}
        if self.contrast_on == "groups":
            names |= {"groups", "grouping"}
        return self.model_dump(mode="json", include=names)


def views_for(augments: bool) -> Literal[1, 2]:
    """Return the default number of views of a contrastive stage: 2 if the data set augments, so that they differ."""
    return 2 if augments else 1


def views_of(config: FeatureConfig) -> int:
    """Return the number of views of each sample that the regularizer requires, 1 without a regularizer."""
    return 1 if config.regularizer is None else config.regularizer.views
