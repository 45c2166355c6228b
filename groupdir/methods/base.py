"""Base class of methods: an encoder with heads that defines its loss, its predictions and its stages of training."""

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


_FAR = 256
"""Center of the labels, in their scale, above which predictions are float64. Below, float32 keeps 16 bits of it."""


@dataclass(frozen=True)
class Batch:
    """Training batch of B samples.

    Attributes:
        inputs: Tensors of views * B rows.
        y: (B,) targets in label units.
        weight: (B,) sample weights, of mean 1 over the training set.
        group: (B,) int64, `true_group` of the targets, computed once for the training set, or None.
        views: Number of views of each sample in `inputs`.
        bins: (B,) int64, the label bin of each target, or None. Bins end at `Targets.bins_high`.
    """

    inputs: tuple[Tensor, ...]
    y: Tensor
    weight: Tensor
    group: Tensor | None = None
    views: int = 1
    bins: Tensor | None = None

    @property
    def label_bins(self) -> Tensor:
        """Label bins (views * B,) of the rows of `inputs`."""
        assert self.bins is not None
        return self.bins.repeat(self.views)


@dataclass(frozen=True)
class Prediction:
    """Predictions of a method for B inputs.

    Attributes:
        value: (B,) predicted targets in label units.
        group: (B,) int64, the predicted groups, or None for a method without groups.
        experts: (B, G) the value of every expert in label units, or None for a method without experts.
    """

    value: Tensor
    group: Tensor | None = None
    experts: Tensor | None = None


class Method(Part):
    """Method of regression. Subclasses set `Config` and define `losses` and `predict`.

    Args:
        config: The method's section of the trial.
        encoder: The encoder, not trained yet.
        targets: Range, bins and scale of the labels.
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
        """Return the stages of the training in order, by default those of the options.

        The stages must follow from `self.section` and `trial` alone, because this is called before the network is
        built.
        """
        return self.section.stages(trial)

    @classmethod
    def stages_of(cls, trial: TrialConfig) -> tuple[Stage, ...]:
        """Return the stages of a trial of this method without building its network.

        Raises:
            ConfigError: If `stages` reads an attribute that only a built method has.
        """
        method = cls.__new__(cls)
        nn.Module.__init__(method)
        method.section = trial.method
        try:
            return method.stages(trial)
        except AttributeError as error:
            raise ConfigError(
                f"its stages must be known before its network is built, got: {error}: let `stages` read only "
                "self.section and the trial"
            ) from error

    def changed(self, stage: Stage) -> tuple[str, ...]:
        """Return prefixes of the names in `state_dict` that the first of several stages changes, by default "" for all.

        The stage must leave every other entry at its initial value. See `MethodConfig.deciding`.
        """
        return ("",)

    def losses(self, batch: Batch, stage: str) -> dict[str, Tensor]:
        """Return the terms of the loss, scalars in float32. The term "loss" is minimised, the others are reported.

        Args:
            batch: The batch.
            stage: Name of the stage.
        """
        raise TypeError(f"{type(self).__name__} defines no losses")

    def predict(self, *inputs: Tensor) -> Prediction:
        """Return predictions for inputs. The caller sets evaluation mode and disables gradients."""
        raise TypeError(f"{type(self).__name__} defines no predict")

    def observed(self, batch: Batch) -> Tensor:
        """Return what parts observe after an epoch, by default the encoder's features.

        Returns:
            (views * B, D) in float32 or float64.
        """
        z: Tensor = self.encoder(*batch.inputs)
        return z.float() if z.dtype in (torch.float16, torch.bfloat16) else z

    def true_group(self, y: Tensor) -> Tensor | None:
        """Return the group (B,) of each target, or None for a method without groups."""
        return None

    def scaled(self, y: Tensor) -> Tensor:
        """Return targets in the network's units, (y - center) / scale.

        They have the network's type. Only then are float64 labels rounded, which have lost no digits by then.
        """
        value = (y - self.targets.center) / self.targets.scale
        return value.to(next(self.parameters()).dtype) if value.dtype == torch.float64 else value

    def unscaled(self, value: Tensor) -> Tensor:
        """Return outputs of the network in label units, in float32 or float64.

        Labels far from 0 beside their spread, such as dates, are float64: float32 would lose the digits that differ.
        """
        value = value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
        if abs(self.targets.center) > _FAR * self.targets.scale:
            value = value.double()
        return value * self.targets.scale + self.targets.center


def regression_error(prediction: Tensor, target: Tensor, kind: str, delta: float = 1.0) -> Tensor:
    """Return the error (B,) of each prediction.

    Args:
        prediction: (B,) predictions in the network's units.
        target: (B,) targets in the network's units.
        kind: "mse", "l1" or "huber".
        delta: Absolute error at which "huber" changes from square to linear, in the network's units.
    """
    prediction = prediction.float() if prediction.dtype in (torch.float16, torch.bfloat16) else prediction
    if kind == "mse":
        return (prediction - target).square()
    if kind == "l1":
        return (prediction - target).abs()
    return nn.functional.huber_loss(prediction, target, reduction="none", delta=delta)
