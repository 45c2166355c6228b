"""Options of every method for its features: smoothing before the head, and a regularizer in the loss."""

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
    """Feature distribution smoothing during a training: each epoch calibrates with the statistics of earlier epochs.

    Args:
        config: The smoothing's section of the trial.
        targets: Range and width of the label bins; each bin has its statistics.
        dim: Width of the features, D.
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
        """Return True: the statistics need the features of all training samples."""
        return True

    def begin_epoch(self, stage: str, epoch: int, epochs: int) -> None:
        """Store the number of the epoch, on which the calibration depends."""
        self.epoch = epoch

    def forward(self, z: Tensor, bins: Tensor) -> Tensor:
        """Return calibrated features `(B, D)` of features `(B, D)` and label bins `(B,)`."""
        with torch.autocast(z.device.type, enabled=False):
            z = z.float()
            return self.statistics.smooth(z.clone() if self.as_published else z, bins, self.epoch)

    def observe(self, features: Tensor, bins: Tensor) -> None:
        """Add features to the statistics. The published code adds features that are smoothed already."""
        self.statistics.observe(self.forward(features, bins) if self.as_published else features, bins)

    def end_epoch(self, epoch: int) -> None:
        """Use the collected statistics from the next epoch on."""
        self.statistics.advance(epoch)


class Features(Part):
    """Smoothing and regularizer of a method. Each is optional.

    Args:
        config: The method's section of the trial.
        targets: Range, bins and scale of the labels.
        dim: Width of the features, D.
    """

    def __init__(self, config: FeatureConfig, targets: Targets, dim: int) -> None:
        super().__init__()
        self.smoothing = None if config.smoothing is None else Smoothing(config.smoothing, targets, dim)
        self.factor, self.regularizer = _regularizer(config.regularizer, targets)

    def smooth(self, z: Tensor, batch: Batch) -> Tensor:
        """Return the features for the head `(views * B, D)` from the encoder's features of a training batch."""
        return z if self.smoothing is None else self.smoothing(z, batch.label_bins)

    def regularize(self, terms: dict[str, Tensor], z: Tensor, batch: Batch, prediction: Tensor) -> dict[str, Tensor]:
        """Return the terms of the loss with the regularizer as a further term, which is also added to "loss".

        Args:
            terms: Terms of the loss, as of `Method.losses`.
            z: `(views * B, D)` features of the encoder, before smoothing.
            batch: The batch.
            prediction: `(views * B,)` predictions in label units.
        """
        if self.regularizer is None:
            return terms
        y, weight = batch.y.repeat(batch.views), batch.weight.repeat(batch.views)
        with torch.autocast(z.device.type, enabled=False):
            term = self.regularizer(z.float(), y, prediction.to(y.dtype), weight)
        return {**terms, "loss": terms["loss"] + self.factor * term, "regularizer": term}


def smoothing_options(config: SmoothingConfig) -> dict[str, Any]:
    """Return the keyword arguments of a smoothing's constructor."""
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
    """Return the factor and the regularizer of a section, or 0 and None."""
    if config is None:
        return 0.0, None
    return config.factor, resolve("regularizer", config.name)(config, targets)
