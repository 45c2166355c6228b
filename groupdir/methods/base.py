"""What a method is: an encoder with heads that has a loss, predicts, and says in which stages it is trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from groupdir.config.stage import Stage
from groupdir.config.trial import MethodConfig, TrialConfig
from groupdir.data.base import Targets
from groupdir.errors import ConfigError
from groupdir.models.base import Encoder
from groupdir.part import Part

__all__ = ["Batch", "Method", "Prediction", "Stage", "regression_error"]


@dataclass(frozen=True)
class Batch:
    """A training batch.

    Attributes:
        inputs: Tensors of views * B rows.
        y: (B,) targets in label units.
        weight: (B,) sample weights, of mean 1 over the training set.
        group: (B,) `true_group` of the targets, worked out once for the training set, or None.
        views: How many views each sample has in `inputs`.
        bins: (B,) int64, the label bin of each target, or None.
    """

    inputs: tuple[Tensor, ...]
    y: Tensor
    weight: Tensor
    group: Tensor | None = None
    views: int = 1
    bins: Tensor | None = None

    @property
    def label_bins(self) -> Tensor:
        """(views * B,) the label bin of every row of `inputs`."""
        assert self.bins is not None
        return self.bins.repeat(self.views)


@dataclass(frozen=True)
class Prediction:
    """What a method says of B inputs.

    Attributes:
        value: (B,) in label units.
        group: (B,) int64, the predicted group, for methods with groups.
        experts: (B, G) every expert's value in label units, for methods with experts.
    """

    value: Tensor
    group: Tensor | None = None
    experts: Tensor | None = None


class Method(Part):
    """A method. Subclasses set `Config` and define `losses` and `predict`.

    Args:
        config: Its section of the trial.
        encoder: The encoder, not trained yet.
        targets: What the labels mean.
        train_y: (N,) labels of the training samples, for counts.
    """

    Config: ClassVar[type[MethodConfig]]
    encoder: Encoder

    def __init__(self, config: MethodConfig, encoder: Encoder, targets: Targets, train_y: np.ndarray) -> None:
        super().__init__()
        self.section = config
        self.encoder = encoder
        self.targets = targets

    def stages(self, trial: TrialConfig) -> tuple[Stage, ...]:
        """Return the stages of the training in order; by default as the options say.

        The stages must follow from `self.section` and `trial` alone: they are asked for before there is a network.
        """
        return self.section.stages(trial)

    @classmethod
    def stages_of(cls, trial: TrialConfig) -> tuple[Stage, ...]:
        """Return the stages of a trial of this method without building its network.

        Raises:
            ConfigError: `stages` reads what only a built method has.
        """
        method = cls.__new__(cls)
        nn.Module.__init__(method)
        method.section = trial.method
        try:
            return method.stages(trial)
        except AttributeError as error:
            raise ConfigError(
                f"cannot say its stages before its network is built: {error}. "
                "`stages` may read self.section and the trial only"
            ) from error

    def changed(self, stage: Stage) -> tuple[str, ...]:
        """Return the beginnings of the names in `state_dict` that the first of several stages changes; by default all.

        Whatever has another name is after the stage as it was made. See `MethodConfig.deciding`.
        """
        return ("",)

    def losses(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """The terms of the loss, scalars in float32; "loss" is what is minimised."""
        raise TypeError(f"{type(self).__name__} defines no losses")

    def predict(self, *inputs: Tensor) -> Prediction:
        """Predictions for inputs, in evaluation mode and without gradients set by the caller."""
        raise TypeError(f"{type(self).__name__} defines no predict")

    def observed(self, batch: Batch) -> Tensor:
        """(views * B, D) what parts observe after an epoch; by default the encoder's features, in float32 at least."""
        z: Tensor = self.encoder(*batch.inputs)
        return z.float() if z.dtype in (torch.float16, torch.bfloat16) else z

    def true_group(self, y: Tensor) -> Tensor | None:
        """(B,) the group of each target, for methods with groups."""
        return None

    def scaled(self, y: Tensor) -> Tensor:
        """Targets in the network's units."""
        return (y - self.targets.center) / self.targets.scale

    def unscaled(self, value: Tensor) -> Tensor:
        """The network's outputs in label units, in float32 at least."""
        value = value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
        return value * self.targets.scale + self.targets.center


def regression_error(prediction: Tensor, target: Tensor, kind: str, delta: float = 1.0) -> Tensor:
    """Errors (B,) of predictions (B,), both in the network's units.

    Args:
        prediction: Predictions.
        target: Targets.
        kind: "mse", "l1" or "huber".
        delta: Where huber turns from square to line.
    """
    prediction = prediction.float() if prediction.dtype in (torch.float16, torch.bfloat16) else prediction
    if kind == "mse":
        return (prediction - target).square()
    if kind == "l1":
        return (prediction - target).abs()
    return nn.functional.huber_loss(prediction, target, reduction="none", delta=delta)
