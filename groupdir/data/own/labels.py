"""Labels of data of your own: what a YAML says of them, and what follows from the training labels otherwise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from groupdir.bins import bin_index, even_edges
from groupdir.config.metric_fields import ErrorMetric
from groupdir.config.trial import DatasetConfig
from groupdir.data.base import SplitName, Targets
from groupdir.data.manifest import Manifest, rows_of
from groupdir.data.own.split import SplitRule, own_split
from groupdir.errors import DataError
from groupdir.metrics import ShotSplit

_MOST_BINS = 125  # ages of 0..120 still have bins of one year
_MANY, _FEW = 0.8, 0.16  # the published 100 and 20, over the 122 training samples of a mean age of AgeDB-DIR


class OwnLabelsConfig(DatasetConfig):
    """Options of data of your own: where the manifest is, and what its labels mean."""

    root: str = Field(description="The folder that paths start from.")
    manifest: str = Field("manifest.csv", description="CSV or Parquet (.parquet); a relative path starts from root.")
    target: str = Field("target", description="The column that is predicted.")
    split: str | None = Field(
        "split", description="The column with train, val and test; null, or no such column: split by label bins."
    )
    split_seed: int = Field(666, ge=0, description="Of a split by label bins.")
    split_most: int = Field(30, ge=1, description="Of a split by label bins: rows of a bin in val, and in test.")
    unit: str = Field("units", description="What labels count, such as years.")
    low: float | None = Field(None, description="Where groups begin; null: the lowest bin of the training labels.")
    high: float | None = Field(None, description="Where groups end; null: the end of the highest bin.")
    bin_width: float | None = Field(
        None, gt=0, description="Of a label bin; null: a round number, at most 125 bins, of whole labels at least 1."
    )
    many: int | None = Field(
        None, ge=0, description="Bins with more training samples are many-shot; null: 0.8 of a mean bin's."
    )
    few: int | None = Field(
        None, ge=0, description="Bins with fewer training samples are few-shot; null: 0.16 of a mean bin's."
    )
    center: float | None = Field(None, description="What the network calls 0; null: the mean of the training labels.")
    scale: float | None = Field(None, gt=0, description="What the network calls 1; null: their standard deviation.")
    error: ErrorMetric = Field("mae", description="The metric that selects an epoch.")

    @model_validator(mode="after")
    def _a_range(self) -> Self:
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise ValueError(f"low < high must hold, got low={self.low}, high={self.high}")
        if self.many is not None and self.few is not None and self.few > self.many + 1:
            raise ValueError(f"few <= many + 1 must hold, got many={self.many}, few={self.few}")
        return self

    @property
    def manifest_path(self) -> Path:
        """Where the manifest is."""
        return Path(self.root) / self.manifest

    def targets(self, train_y: np.ndarray, width: float) -> Targets:
        """What the labels mean.

        Args:
            train_y: (N,) float32 training labels.
            width: Of a label bin.

        Raises:
            DataError: The training labels are all the same, or lie outside of the range.
        """
        least, most = float(train_y.min()), float(train_y.max())
        if least == most:
            raise DataError(f"{self.manifest_path}: training labels must differ, got {least:g} in every row")
        lowest, highest = bin_index(np.array([least, most], dtype=train_y.dtype), 0.0, width).tolist()
        first, last = even_edges(0.0, width, [lowest, highest + 1]).tolist()
        low, high = first if self.low is None else self.low, last if self.high is None else self.high
        if not low < high or most < low or least > high:
            raise DataError(
                f"{self.manifest_path}: training labels must lie between data.low and data.high, got "
                f"{least:g}..{most:g} for low {low:g} and high {high:g}"
            )
        center = float(train_y.mean(dtype=np.float64)) if self.center is None else self.center
        scale = float(train_y.std(dtype=np.float64)) if self.scale is None else self.scale
        return Targets(low, high, width, self.unit, center, scale, self.error)

    def shots(self, train_y: np.ndarray, targets: Targets) -> ShotSplit:
        """Which labels have many, a median number of, or few training samples."""
        bins = len(np.unique(bin_index(train_y, targets.low, targets.bin_width)))
        few, many = self.few, self.many
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
        targets = config.targets(train_y, width)
        return cls(manifest.path, splits, targets, config.shots(train_y, targets))

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
