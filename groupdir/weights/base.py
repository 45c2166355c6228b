"""Base of the sample-weight modes: labels in bins, and weights of mean 1 for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from groupdir.bins import as_array, bin_index, bins_between
from groupdir.config.validation import explain
from groupdir.config.weights import WeightsConfig
from groupdir.config.yamlfile import dotted

MOST_BINS = 10_000_000


@dataclass(frozen=True)
class LabelCounts:
    """Training labels and how often those near them occur.

    Attributes:
        y: (N,) labels, in label units.
        bins: (N,) int64, the bin of each label.
        counts: Training samples of each bin, float64; empty bins included.
    """

    y: npt.NDArray[Any]
    bins: npt.NDArray[np.int64]
    counts: npt.NDArray[np.float64]

    @classmethod
    def of(cls, y: npt.NDArray[Any], bin_width: float, low: float, high: float | None) -> LabelCounts:
        """Count labels in bins; see `groupdir.labels.sample_weights`.

        Raises:
            ValueError: There is no label, a label is not finite, or the bins are too many.
        """
        labels = as_array(y)
        if labels.ndim != 1 or not labels.size:
            raise ValueError(f"y must have shape (N,) with N >= 1, got {labels.shape}")
        number = None if high is None else bins_between(low, high, bin_width)
        bins = np.maximum(bin_index(labels, low, bin_width, number), 0)
        if bins.max() >= MOST_BINS:
            raise ValueError(
                f"bin_width={bin_width} must not cut the labels into more than 10 million bins; set `high`"
            )
        return cls(labels, bins, np.bincount(bins, minlength=number or 0).astype(np.float64))


class SampleWeights:
    """Sample-weight mode. Subclasses set `Config` and define `weigh`.

    Args:
        config: Section of the trial.
    """

    Config: ClassVar[type[WeightsConfig]]

    def __init__(self, config: WeightsConfig) -> None:
        self.config = config

    def weigh(self, labels: LabelCounts) -> npt.NDArray[np.floating]:
        """Return a weight > 0 for each sample, `(N,)`. The scale does not matter: `weights` sets the mean to 1."""
        raise TypeError(f"{type(self).__name__} defines no weigh")

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Return the mode with plain options, which are checked as those of a trial.

        Raises:
            ValueError: An option is unknown or out of range.
        """
        try:
            return cls(cls.Config.model_validate(options))
        except ValidationError as error:
            lines = [f"{dotted(at)}: {text}" for at, text in explain(error, cls.Config, options)]
            raise ValueError(f"mode {options['mode']}: " + "; ".join(lines)) from error

    def weights(
        self, y: npt.NDArray[Any], *, bin_width: float, low: float, high: float | None
    ) -> npt.NDArray[np.float32]:
        """Return the weights `(N,)` of training samples, of mean 1.

        Args:
            y: Training labels `(N,)`, in label units.
            bin_width: > 0, in label units.
            low: Lower edge of the first bin, which also counts the labels below it.
            high: Upper edge of the last bin, which also counts the labels above it; None: as many bins as are needed.

        Raises:
            ValueError: The labels cannot be counted, or `weigh` gives no positive weight for each of them.
        """
        weights = np.asarray(self.weigh(LabelCounts.of(y, bin_width, low, high)), dtype=np.float64)
        if weights.shape != y.shape or not (np.isfinite(weights) & (weights > 0)).all():
            raise ValueError(
                f"sample-weight mode {self.config.mode} must give {len(y)} finite weights > 0, got shape "
                f"{weights.shape}, least {weights.min(initial=np.inf):g}, most {weights.max(initial=-np.inf):g}"
            )
        scaled: npt.NDArray[np.float32] = (weights * (len(weights) / weights.sum())).astype(np.float32)
        return scaled
