"""Labels of data of your own: what a YAML says of them, and what follows from the training labels otherwise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from groupdir.bins import bin_index, even_edges
from groupdir.config.datasets import OwnLabelsConfig
from groupdir.data.base import SplitName, Targets
from groupdir.data.manifest import Manifest, rows_of
from groupdir.data.own.split import SplitRule, own_split
from groupdir.errors import DataError
from groupdir.metrics import ShotSplit

_MOST_BINS = 125  # ages of 0..120 still have bins of one year
_MANY, _FEW = 0.8, 0.16  # the published 100 and 20, over the 122 training samples of a mean age of AgeDB-DIR


def targets_of(config: OwnLabelsConfig, train_y: np.ndarray, width: float) -> Targets:
    """Return what the labels mean.

    Args:
        config: What the YAML says of them.
        train_y: (N,) float32 training labels.
        width: Of a label bin.

    Raises:
        DataError: The training labels are all the same, or lie outside of the range.
    """
    least, most = float(train_y.min()), float(train_y.max())
    if least == most:
        raise DataError(f"{config.manifest_path}: training labels must differ, got {least:g} in every row")
    lowest, highest = bin_index(np.array([least, most], dtype=train_y.dtype), 0.0, width).tolist()
    first, last = even_edges(0.0, width, [lowest, highest + 1]).tolist()
    low, high = first if config.low is None else config.low, last if config.high is None else config.high
    if not low < high or most < low or least > high:
        raise DataError(
            f"{config.manifest_path}: training labels must lie between data.low and data.high, got "
            f"{least:g}..{most:g} for low {low:g} and high {high:g}"
        )
    center = float(train_y.mean(dtype=np.float64)) if config.center is None else config.center
    scale = float(train_y.std(dtype=np.float64)) if config.scale is None else config.scale
    return Targets(low, high, width, config.unit, center, scale, config.error)


def shots_of(config: OwnLabelsConfig, train_y: np.ndarray, targets: Targets) -> ShotSplit:
    """Return which labels have many, a median number of, or few training samples."""
    bins = len(np.unique(bin_index(train_y, targets.low, targets.bin_width)))
    few, many = config.few, config.many
    if many is None:
        many = max(round(_MANY * len(train_y) / bins), 1, (few or 0) - 1)
    if few is None:
        few = min(max(round(_FEW * len(train_y) / bins), 2), many + 1)
    return ShotSplit.from_train(train_y, targets.bin_width, many, few, low=targets.low)


@dataclass(frozen=True)
class OwnLabels:
    """Which rows of a manifest are of which split, and what follows from the labels of training.

    Attributes:
        path: The manifest.
        splits: (N,) of its rows.
        targets: What the labels mean.
        shots: Which labels have many, a median number of, or few training samples.
    """

    path: Path
    splits: tuple[SplitName, ...]
    targets: Targets
    shots: ShotSplit

    @classmethod
    def of(cls, manifest: Manifest, keys: Sequence[str], config: OwnLabelsConfig) -> OwnLabels:
        """Takes the manifest's splits, or those beside it, which are made if need be.

        Args:
            manifest: What was read.
            keys: What tells its N rows apart.
            config: What the YAML says.

        Raises:
            DataError: The labels, or the split beside the manifest, cannot be used.
        """
        if manifest.splits is None:
            width = config.bin_width or bin_width_of(manifest.y)
            splits = own_split(manifest.path, keys, manifest.y, SplitRule(width, config.split_most, config.split_seed))
        else:
            splits = manifest.splits
            width = config.bin_width or bin_width_of(manifest.y[manifest.of_split("train")])
        train_y = manifest.y[rows_of("train", splits, manifest.path)]
        targets = targets_of(config, train_y, width)
        return cls(manifest.path, splits, targets, shots_of(config, train_y, targets))

    def where(self, name: SplitName) -> npt.NDArray[np.int64]:
        """The indices (n,) of a split's rows.

        Raises:
            DataError: There is none.
        """
        return rows_of(name, self.splits, self.path)


def bin_width_of(y: np.ndarray) -> float:
    """A round bin width, 1, 2 or 5 times a power of ten, that cuts labels into at most 125 bins.

    Of whole labels it is at least 1.

    >>> bin_width_of(np.array([1, 35, 101])), bin_width_of(np.array([0.0, 3.2, 5.0])), bin_width_of(np.array([0, 9]))
    (1.0, 0.05, 1.0)
    """
    labels = np.asarray(y, dtype=np.float64)
    spread = float(labels.max() - labels.min()) or 1.0
    power = math.floor(math.log10(spread / _MOST_BINS))
    widths = (float(f"{digit}e{exponent}") for exponent in (power, power + 1) for digit in (1, 2, 5))
    width = next(width for width in widths if spread / width <= _MOST_BINS)
    return max(width, 1.0) if bool((labels == np.floor(labels)).all()) else width
