"""Options of the methods, and the stages of the training that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from groupdir.config.base import Strict
from groupdir.config.group_losses import GroupLoss, Slope, SoftConfig
from groupdir.config.optimizers import Optim
from groupdir.config.regression_losses import Loss
from groupdir.config.regularizers import Regularizer
from groupdir.config.smoothing import SmoothingConfig
from groupdir.config.stage import Stage
from groupdir.config.trial import MethodConfig, TrialConfig
from groupdir.config.weights import LDSConfig, SqrtInverseConfig, Weights
from groupdir.config.yamlfile import Address
from groupdir.errors import FieldError

Grouping = Literal["equal_width", "integer_width", "equal_frequency"]
PRETRAIN, FIT = "pretrain", "fit"  # the stages of the built-in methods


class FeatureConfig(MethodConfig):
    """What methods take that learn from the features of one encoder."""

    smoothing: SmoothingConfig | None = Field(None, description="Feature distribution smoothing (FDS); null: none.")
    regularizer: Regularizer | None = Field(None, description="A term that shapes the features; null: none.")


class PretrainingConfig(Strict):
    """A first stage that trains the encoder; the head begins anew after it."""

    by: Literal["regression", "rank_n_contrast"] = Field(
        "regression", description="regression: the method's own loss, without weights (RRT, decoupled training)."
    )
    epochs: int = Field(100, ge=1)
    optim: Optim | None = Field(None, description="null: as the trial's.")
    views: Literal[1, 2] = Field(1, description="2 needs a data set that augments; the published Rank-N-Contrast: 2.")
    similarity: Literal["negative_l2", "cosine", "negative_unit_l2"] = Field(
        "negative_l2", description="Of rank_n_contrast only."
    )
    temperature: float = Field(2.0, gt=0, description="Of rank_n_contrast only.")
    loss: Loss | None = Field(None, description="Of regression only, of method vanilla; null: the method's own.")


class RegressorConfig(FeatureConfig):
    """What methods take whose head follows one encoder, in one stage or two."""

    pretrain: PretrainingConfig | None = Field(None, description="A stage before; null: all is trained together.")
    encoder_lr: float = Field(
        0.0, ge=0, description="After a pre-training: factor of the encoder's learning rate; 0 freezes it."
    )
    frozen_norms: bool = Field(
        True, description="After a pre-training: a frozen encoder's batch norms stand still; published RRT: false."
    )

    def stages(self, trial: TrialConfig) -> tuple[Stage, ...]:
        """Return one stage, or the pre-training and then the head."""
        epochs, first, views = trial.train.epochs, self.pretrain, views_of(self)
        if first is None:
            return (Stage(FIT, epochs, trial.optim, views),)
        return (
            Stage(PRETRAIN, first.epochs, first.optim or trial.optim, first.views, predicts=False),
            Stage(FIT, epochs, trial.optim, views, self.encoder_lr, frozen_norms=self.frozen_norms),
        )


class VanillaConfig(RegressorConfig):
    """Options of `Vanilla`."""

    loss: Loss = Field("mse", validate_default=True, description="Its name, or a mapping of its name and options.")

    @model_validator(mode="after")
    def _weights_mean_something(self) -> Self:
        if self.weights is not None and not self.loss.weighted:
            raise ValueError(f"loss {self.loss.name} balances by itself and takes no weights: set weights to null")
        return self

    def deciding(self, stage: Stage) -> dict[str, Any]:
        """Return the pre-training's options, or the method's loss where the pre-training has none of its own."""
        first = self.pretrain
        assert first is not None
        if first.by == "rank_n_contrast":
            return first.model_dump(mode="json", include={"by", "similarity", "temperature"})
        return {"by": "vanilla", "loss": (first.loss or self.loss).model_dump(mode="json")}


class VAEConfig(RegressorConfig):
    """Options of `VAE`."""

    loss: Loss = Field("l1", validate_default=True, description="Of the regression.")
    code: int = Field(32, ge=1, description="Width of the code.")
    lambda_reconstruction: float = Field(0.7, ge=0, description="Of the inputs' mean squared error.")
    lambda_kl: float = Field(0.001, ge=0, description="Of the code's divergence from the standard normal.")


class DERConfig(RegressorConfig):
    """Options of `DER`."""

    coefficient: float = Field(0.01, ge=0, description="Of the evidence that is given to wrong predictions.")
    sharpness: float = Field(
        1.0, gt=0, description="Of the softplus; the published imbalanced version has 0.01, which starts at 69."
    )


class VIRConfig(RegressorConfig):
    """Options of `VIR`."""

    weights: Weights | None = Field(
        SqrtInverseConfig(mode="sqrt_inverse", lds=LDSConfig()),
        description="They scale the evidence; null: all the same.",
    )
    smoothing: SmoothingConfig | None = Field(SmoothingConfig(), description="Of means and variances; null: none.")
    coefficient: float = Field(0.01, ge=0, description="Of the evidence that is given to wrong predictions.")
    lambda_reconstruction: float = Field(0.7, ge=0, description="Of the inputs' mean squared error.")


class PretrainConfig(Strict):
    """The contrastive stage of the two-stage recipe."""

    epochs: int = Field(100, ge=1)
    views: Literal[1, 2] = Field(2, description="2 needs a data set that augments.")
    optim: Optim | None = Field(None, description="null: as the trial's.")


class GroupDIRConfig(FeatureConfig):
    """Options of `GroupDIR`."""

    has_groups: ClassVar[bool] = True

    groups: int = Field(25, ge=1, description="|G|.")
    grouping: Grouping = "equal_width"
    beta: Slope | None = Field(
        None, exclude=True, description="Short for group_loss: {name: soft, beta: ...}; other group losses refuse it."
    )
    group_loss: GroupLoss = Field(
        "soft", validate_default=True, description="Its name, or a mapping of its name and options."
    )
    similarity: Literal["negative_l2", "cosine", "negative_unit_l2"] = "negative_l2"
    temperature: float = Field(2.5, gt=0)
    contrast_on: Literal["groups", "targets"] = Field("groups", description="targets: Rank-N-Contrast.")
    views: Literal[1, 2] = Field(
        1, description="Views of a sample in the last stage; 2 needs a data set that augments."
    )
    regression: Literal["mse", "l1"] = "mse"
    lambda_contrastive: float = Field(1.0, ge=0, description="Of L_grc, of recipe joint; the paper's is 1.")
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
    pretrain: PretrainConfig | None = Field(None, description="Stage of recipe two_stage; null: its defaults.")
    encoder_lr: float = Field(
        1.0, ge=0, description="Of recipe two_stage: factor of the encoder's rate in the last stage; 0 freezes it."
    )
    shorthands: ClassVar[Mapping[str, Address]] = {"beta": ("group_loss", "beta")}

    @field_validator("group_loss", mode="before")
    @classmethod
    def _with_beta(cls, value: Any, info: ValidationInfo) -> Any:
        """Put `beta`, which is read before, into the options of the soft labels."""
        beta = info.data.get("beta")
        section = {"name": value} if isinstance(value, str) else value
        if beta is None or not isinstance(section, Mapping):
            return value
        if section.get("name") != "soft":
            raise ValueError(f"takes no method.beta, which is of soft, got {section.get('name')!r}: remove beta")
        if "beta" in section:
            raise ValueError(f"has a beta of {section['beta']} beside method.beta {beta}: remove one of them")
        return {**section, "beta": beta}

    @model_validator(mode="after")
    def _nothing_is_ignored(self) -> Self:
        if self.lambda_mse == 0:
            raise FieldError(("lambda_mse",), "must be > 0, got 0: the experts would never be trained")
        if self.recipe == "two_stage" and self.lambda_contrastive != 1:
            raise FieldError(
                ("lambda_contrastive",),
                f"must be 1 with recipe two_stage, whose first stage has no other term, got "
                f"{self.lambda_contrastive:g}: remove it, or set recipe to joint",
            )
        if self.recipe == "joint" and self.pretrain is not None:
            raise FieldError(("pretrain",), "must be null with recipe joint, which has one stage: remove it")
        if self.recipe == "joint" and self.encoder_lr != 1:
            raise FieldError(
                ("encoder_lr",),
                f"must be 1 with recipe joint, which has one stage, got {self.encoder_lr:g}: remove it",
            )
        # `beta` reads the same however it was given; it is no part of what is written or of the digest.
        self.__dict__["beta"] = self.group_loss.beta if isinstance(self.group_loss, SoftConfig) else None
        return self

    def stages(self, trial: TrialConfig) -> tuple[Stage, ...]:
        """Return one joint stage, or the contrastive pre-training and then the heads."""
        epochs, views = trial.train.epochs, max(self.views, views_of(self))
        if self.recipe == "joint":
            return (Stage(FIT, epochs, trial.optim, views),)
        first = self.pretrain or PretrainConfig()
        return (
            Stage(PRETRAIN, first.epochs, first.optim or trial.optim, first.views, predicts=False),
            Stage(FIT, epochs, trial.optim, views, self.encoder_lr),
        )

    def deciding(self, stage: Stage) -> dict[str, Any]:
        """Return the options of the contrastive loss and of its groups, or all where the group loss changes too."""
        if self.group_loss.changes_in_pretraining:
            return super().deciding(stage)
        names = {"name", "similarity", "temperature", "contrast_on"}
        if self.contrast_on == "groups":
            names |= {"groups", "grouping"}
        return self.model_dump(mode="json", include=names)


def views_of(config: FeatureConfig) -> int:
    """Return the number of views of each sample that the regularizer asks for."""
    return 1 if config.regularizer is None else config.regularizer.views
