"""Options of the regression losses, and the type of a section that names one."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SerializeAsAny

from groupdir.config.base import Plugin, PluginConfig


class LossConfig(PluginConfig):
    """Base of the options of every regression loss."""

    weighted: ClassVar[bool] = True
    """Whether the loss accepts sample weights."""


class MSEConfig(LossConfig):
    """Options of `MSE`, which has none."""


class L1Config(LossConfig):
    """Options of `L1`, which has none."""


class HuberConfig(LossConfig):
    """Options of `Huber`."""

    delta: float = Field(1.0, gt=0, description="Error at which the square turns into a line, in network units.")


class FocalConfig(LossConfig):
    """Options of `Focal`."""

    base: Literal["l1", "mse"] = "l1"
    beta: float = Field(0.2, gt=0, description="Rate at which the modulation saturates, per network unit of error.")
    gamma: float = Field(1.0, ge=0, description="Power of the modulation; 0 gives the base loss.")
    activation: Literal["sigmoid", "tanh"] = "sigmoid"


class BalancedConfig(LossConfig):
    """Base of the options of every balanced MSE."""

    weighted: ClassVar[bool] = False
    sigma: float = Field(1.0, gt=0, description="Initial width of the predictions' noise, in network units.")
    sigma_lr: float = Field(1e-2, ge=0, description="Learning rate of sigma; 0 keeps sigma fixed.")


class BatchMonteCarloConfig(BalancedConfig):
    """Options of `BatchMonteCarlo`."""

    as_published: bool = Field(
        False, description="Count equal targets in a batch as negatives, as in the published code."
    )


class GMMIntegrationConfig(BalancedConfig):
    """Options of `GMMIntegration`."""

    components: int = Field(8, ge=1, description="Components of the mixture; at most the number of distinct labels.")


class BucketIntegrationConfig(BalancedConfig):
    """Options of `BucketIntegration`."""


Loss = Annotated[SerializeAsAny[LossConfig], Plugin("regression_loss")]
"""Section of a regression loss: a name, or a mapping of name and options."""
