"""What any method can do with its features: smooth them before the head, and shape them by a term of the loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from groupdir.bins import bins_between
from groupdir.config.methods import FeatureConfig
from groupdir.config.regularizers import RegularizerConfig
from groupdir.config.smoothing import SmoothingConfig
from groupdir.data.base import Targets
from groupdir.methods.base import Batch
from groupdir.part import Part
from groupdir.registry import resolve
from groupdir.regularizers.base import FeatureRegularizer
from groupdir.smoothing import FeatureSmoothing


class Smoothing(Part):
    """Feature distribution smoothing that follows the training: statistics after every epoch, calibration from then on.

    Args:
        config: Its section of the trial.
        targets: For the label bins, of which each has its statistics.
        dim: Width of the features.
    """

    def __init__(self, config: SmoothingConfig, targets: Targets, dim: int) -> None:
        super().__init__()
        self.epoch = 0
        self.as_published = config.as_published
        self.statistics = FeatureSmoothing(
            bins_between(targets.low, targets.high, targets.bin_width), config.start, dim, **smoothing_options(config)
        )

    @property
    def observes(self) -> bool:
        """It does."""
        return True

    def begin_epoch(self, stage: str, epoch: int, epochs: int) -> None:
        """Remembers which epoch it is."""
        self.epoch = epoch

    def forward(self, z: Tensor, bins: Tensor) -> Tensor:
        """Calibrated features `(B, D)` of features `(B, D)` and label bins `(B,)`."""
        with torch.autocast(z.device.type, enabled=False):
            z = z.float()
            return self.statistics.smooth(z.clone() if self.as_published else z, bins, self.epoch)

    def observe(self, features: Tensor, bins: Tensor) -> None:
        """Collects statistics; the published ones are of features that are smoothed already."""
        self.statistics.observe(self.forward(features, bins) if self.as_published else features, bins)

    def end_epoch(self, epoch: int) -> None:
        """Takes the collected statistics into use."""
        self.statistics.advance(epoch)


class Features(Part):
    """The smoothing and the regularizer of a method, or neither.

    Args:
        config: The method's section.
        targets: What the labels mean.
        dim: Width of the features.
    """

    def __init__(self, config: FeatureConfig, targets: Targets, dim: int) -> None:
        super().__init__()
        self.smoothing = None if config.smoothing is None else Smoothing(config.smoothing, targets, dim)
        self.factor, self.regularizer = _regularizer(config.regularizer, targets)

    def smooth(self, z: Tensor, batch: Batch) -> Tensor:
        """Features for the head `(views * B, D)` of the encoder's features of a training batch."""
        return z if self.smoothing is None else self.smoothing(z, batch.label_bins)

    def regularize(self, terms: dict[str, Tensor], z: Tensor, batch: Batch, prediction: Tensor) -> dict[str, Tensor]:
        """The terms with the regularizer's, and with it in the loss.

        Args:
            terms: As of `Method.losses`.
            z: `(views * B, D)` the encoder's features, before smoothing.
            batch: The batch.
            prediction: `(views * B,)` in label units.
        """
        if self.regularizer is None:
            return terms
        y, weight = batch.y.repeat(batch.views), batch.weight.repeat(batch.views)
        with torch.autocast(z.device.type, enabled=False):
            term = self.regularizer(z.float(), y, prediction.float(), weight)
        return {**terms, "loss": terms["loss"] + self.factor * term, "regularizer": term}


def smoothing_options(config: SmoothingConfig) -> dict[str, Any]:
    """The options of a smoothing as its constructor takes them."""
    return {
        "kernel": config.kernel,
        "size": config.size,
        "sigma": config.sigma,
        "momentum": config.momentum,
        "clip": config.clip,
        "as_published": config.as_published,
        "start_smooth": config.start_epoch,
    }


def _regularizer(config: RegularizerConfig | None, targets: Targets) -> tuple[float, FeatureRegularizer | None]:
    if config is None:
        return 0.0, None
    return config.factor, resolve("regularizer", config.name)(config, targets)
