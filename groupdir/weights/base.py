"""Base of the sample-weight modes: counts of labels in bins, and weights with mean 1."""

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
    """Training labels with the number of samples in each label bin.

    Attributes:
        y: Labels (N,), in label units.
        bins: Bin of each label (N,), int64.
        counts: Number of training samples in each bin, float64, empty bins included.
    """

    y: npt.NDArray[Any]
    bins: npt.NDArray[np.int64]
    counts: npt.NDArray[np.float64]

    @classmethod
    def of(cls, y: npt.NDArray[Any], bin_width: float, low: float, high: float | None) -> LabelCounts:
        """Return the labels with the counts of their bins. See `groupdir.labels.sample_weights`.

        Raises:
            ValueError: If there is no label, a label is not finite, or there are more than 10 million bins.
        """
        labels = as_array(y)
        if labels.ndim != 1 or not labels.size:
            raise ValueError(f"y must have shape (N,) with N >= 1, got {labels.shape}")
        number = None if high is None else bins_between(low, high, bin_width)
        bins = np.maximum(bin_index(labels, low, bin_width, number), 0)
        if bins.max() >= MOST_BINS:
            raise ValueError(
                f"bin_width={bin_width} divides the labels into more than 10 million bins: raise it, or set `high`"
            )
        return cls(labels, bins, np.bincount(bins, minlength=number or 0).astype(np.float64))


class SampleWeights:
    """Sample-weight mode. Subclasses set `Config` and define `weigh`.

    Args:
        config: Section `method.weights` of the trial.
    """

    Config: ClassVar[type[WeightsConfig]]

    def __init__(self, config: WeightsConfig) -> None:
        self.config = config

    def weigh(self, labels: LabelCounts) -> npt.NDArray[np.floating]:
        """Return a weight > 0 for each sample, `(N,)`. The scale does not matter: `weights` sets the mean to 1."""
        raise TypeError(f"{type(self).__name__} does not define `weigh`")

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Return the mode for plain options, which are validated like the options of a trial.

        Raises:
            ValueError: If an option is unknown or out of range.
        """
        try:
            return cls(cls.Config.model_validate(options))
        except ValidationError as error:
            lines = [f"{dotted(at)}: {text}" for at, text in explain(error, cls.Config, options)]
            raise ValueError(f"mode {options['mode']}: " + "; ".join(lines)) from error

    def weights(
        self, y: npt.NDArray[Any], *, bin_width: float, low: float, high: float | None
    ) -> npt.NDArray[np.float32]:
        """Return the weights `(N,)` of training samples, with mean 1.

        Args:
            y: Training labels `(N,)`, in label units.
            bin_width: Width of a label bin, > 0, in label units.
            low: Lower edge of the first bin, which also counts the labels below it.
            high: Upper edge of the last bin, which also counts the labels above it. None: as many bins as are needed.

        Raises:
            ValueError: If the labels cannot be counted, or `weigh` does not return a positive weight for each label.
        """
        weights = np.asarray(self.weigh(LabelCounts.of(y, bin_width, low, high)), dtype=np.float64)
        if weights.shape != y.shape or not (np.isfinite(weights) & (weights > 0)).all():
            raise ValueError(
                f"sample-weight mode {self.config.mode} must give {len(y)} finite weights > 0, got shape "
                f"{weights.shape}, least {weights.min(initial=np.inf):g}, most {weights.max(initial=-np.inf):g}"
            )
        scaled: npt.NDArray[np.float32] = (weights * (len(weights) / weights.sum())).astype(np.float32)
        return scaled
