"""The parts that methods are composed of, as a YAML names them: smoothing, loss, regularizer, pre-training."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator

from groupdir.config.trial import MethodConfig, OptimConfig, PluginConfig, Strict, odd, plugin


class SmoothingConfig(Strict):
    """Feature distribution smoothing: the statistics of neighbouring label bins calibrate the features in training."""

    kernel: Literal["gaussian", "triangular", "laplace"] = "gaussian"
    size: int = Field(5, ge=1, description="Width of the kernel in label bins; odd.")
    sigma: float = Field(2.0, gt=0, description="Standard deviation in bins; the triangular kernel ignores it.")
    momentum: float = Field(0.9, ge=0, lt=1, description="Of the running statistics, per epoch.")
    start: int = Field(0, ge=0, description="First label bin that is smoothed; the published one of AgeDB is 3.")
    start_epoch: int = Field(1, ge=0, description="First epoch whose features are calibrated, counted from 0.")
    clip: tuple[float, float] = Field((0.1, 10.0), description="Bounds of the ratio of variances.")
    as_published: bool = Field(
        False, description="The published code's aliased statistics, taken of features that are smoothed already."
    )

    _odd = field_validator("size")(odd)

    @field_validator("clip")
    @classmethod
    def _ascending(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 < value[0] <= value[1]:
            raise ValueError(f"must be [low, high] with 0 < low <= high, got {list(value)}")
        return value


class LossConfig(PluginConfig):
    """What every regression loss takes."""

    weighted: ClassVar[bool] = True
    """Whether sample weights mean something to it."""


class RegularizerConfig(PluginConfig):
    """What every regularizer takes."""

    factor: float = Field(1.0, ge=0, description="Of the term in the loss.")
    views: Literal[1, 2] = Field(1, description="Views of each sample in a batch; 2 needs a data set that augments.")


def _loss(value: Any) -> Any:
    return plugin("loss", {"name": value} if isinstance(value, str) else value)


def _optional_loss(value: Any) -> Any:
    return None if value is None else _loss(value)


def _regularizer(value: Any) -> Any:
    return None if value is None else plugin("regularizer", value)


Loss = Annotated[SerializeAsAny[LossConfig], BeforeValidator(_loss)]
"""A regression loss: its name, or a mapping with its name and options."""

OptionalLoss = Annotated[SerializeAsAny[LossConfig] | None, BeforeValidator(_optional_loss)]
"""As `Loss`, or null."""

Regularizer = Annotated[SerializeAsAny[RegularizerConfig] | None, BeforeValidator(_regularizer)]
"""A term that shapes the features, or null."""


class FeatureConfig(MethodConfig):
    """What methods take that learn from the features of one encoder."""

    smoothing: SmoothingConfig | None = Field(None, description="Feature distribution smoothing (FDS); null: none.")
    regularizer: Regularizer = Field(None, description="A term that shapes the features; null: none.")


class PretrainingConfig(Strict):
    """A first stage that trains the encoder; the head begins anew after it."""

    by: Literal["regression", "rank_n_contrast"] = Field(
        "regression", description="regression: the method's own loss, without weights (RRT, decoupled training)."
    )
    epochs: int = Field(100, ge=1)
    optim: OptimConfig | None = Field(None, description="null: as the trial's.")
    views: Literal[1, 2] = Field(1, description="2 needs a data set that augments; the published Rank-N-Contrast: 2.")
    similarity: Literal["negative_l2", "cosine", "negative_unit_l2"] = Field(
        "negative_l2", description="Of rank_n_contrast only."
    )
    temperature: float = Field(2.0, gt=0, description="Of rank_n_contrast only.")
    loss: OptionalLoss = Field(None, description="Of regression only, of method vanilla; null: the method's own.")


class RegressorConfig(FeatureConfig):
    """What methods take whose head follows one encoder, in one stage or two."""

    pretrain: PretrainingConfig | None = Field(None, description="A stage before; null: all is trained together.")
    encoder_lr: float = Field(
        0.0, ge=0, description="After a pre-training: factor of the encoder's learning rate; 0 freezes it."
    )
    frozen_norms: bool = Field(
        True, description="After a pre-training: a frozen encoder's batch norms stand still; published RRT: false."
    )
