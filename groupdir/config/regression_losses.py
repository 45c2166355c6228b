"""Options of the regression losses, and how a section names one."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, SerializeAsAny

from groupdir.config.base import Plugin, PluginConfig


class LossConfig(PluginConfig):
    """What every regression loss takes."""

    weighted: ClassVar[bool] = True
    """Whether sample weights mean something to it."""


class MSEConfig(LossConfig):
    """Options of `MSE`: none."""


class L1Config(LossConfig):
    """Options of `L1`: none."""


class HuberConfig(LossConfig):
    """Options of `Huber`."""

    delta: float = Field(1.0, gt=0, description="Where the square turns into a line, in the network's units.")


class FocalConfig(LossConfig):
    """Options of `Focal`."""

    base: Literal["l1", "mse"] = "l1"
    beta: float = Field(0.2, gt=0, description="How fast the modulation saturates, per network unit of error.")
    gamma: float = Field(1.0, ge=0, description="Power of the modulation; 0 is the base loss.")
    activation: Literal["sigmoid", "tanh"] = "sigmoid"


class BalancedConfig(LossConfig):
    """Options of every balanced MSE."""

    weighted: ClassVar[bool] = False
    sigma: float = Field(1.0, gt=0, description="Noise of the predictions at the start, in the network's units.")
    sigma_lr: float = Field(1e-2, ge=0, description="Its learning rate; 0 keeps it fixed.")


class BatchMonteCarloConfig(BalancedConfig):
    """Options of `BatchMonteCarlo`."""

    as_published: bool = Field(False, description="Equal targets in a batch count against each other.")


class GMMIntegrationConfig(BalancedConfig):
    """Options of `GMMIntegration`."""

    components: int = Field(8, ge=1, description="Of the mixture; at most as many as there are distinct labels.")


class BucketIntegrationConfig(BalancedConfig):
    """Options of `BucketIntegration`."""


Loss = Annotated[SerializeAsAny[LossConfig], Plugin("regression_loss")]
"""A regression loss: its name, or a mapping with its name and options."""
