"""Labels of your own data: options from the YAML, with defaults that are computed from the training labels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from groupdir.bins import bin_index, edge_text, even_edges
from groupdir.config.datasets import OwnLabelsConfig
from groupdir.data.base import SplitName, Targets
from groupdir.data.comparisons import SharedKeys
from groupdir.data.manifest import Manifest, rows_of
from groupdir.data.own.groups import read_groups, warn_of_broken_groups
from groupdir.data.own.marks import MARK_OF_TARGET, marks
from groupdir.data.own.split import SplitRule
from groupdir.data.own.split_file import ListedRows, own_split
from groupdir.errors import DataError
from groupdir.metrics import ShotSplit

_MOST_BINS = 125  # so that ages of 0..120 have bins of one year
_ROWS_OF_A_BIN = 5  # so that a split by bins gives val and test rows of most bins
_FEWEST_BINS = 5
_MOST_EDGES = 2**53  # above, float64 cannot number the bins by whole numbers
_MANY, _FEW = 0.8, 0.16  # the published 100 and 20, relative to the mean of 122 training samples per age in AgeDB-DIR


def targets_of(config: OwnLabelsConfig, train_y: np.ndarray, width: float) -> Targets:
    """Return the meaning of the labels.

    Args:
        config: Options from the YAML.
        train_y: Training labels (N,), in label units.
        width: Width of a label bin, in label units.

    Raises:
        DataError: If the training labels are all equal or lie outside the range, or the range has too many bins.
    """
    least, most = float(train_y.min()), float(train_y.max())
    if least == most:
        raise DataError(f"{config.manifest_path}: training labels must differ, got {edge_text(least)} in every row")
    lowest, highest = bin_index(np.array([least, most], dtype=train_y.dtype), 0.0, width).tolist()
    first, last = even_edges(0.0, width, [lowest, highest + 1]).tolist()
    low, high = first if config.low is None else config.low, last if config.high is None else config.high
    if not low < high or most < low or least > high:
        raise DataError(
            f"{config.manifest_path}: training labels must lie between data.low and data.high, got "
            f"{edge_text(least)}..{edge_text(most)} for low {edge_text(low)} and high {edge_text(high)}"
        )
    if not (high - low) / width <= _MOST_EDGES:
        raise DataError(
            f"{config.manifest_path}: data.low and data.high must enclose at most 2^53 bins of width "
            f"{edge_text(width)}, got low {edge_text(low)} and high {edge_text(high)}"
        )
    center = float(train_y.mean(dtype=np.float64)) if config.center is None else config.center
    scale = float(train_y.std(dtype=np.float64)) if config.scale is None else config.scale
    return Targets(low, high, width, config.unit, center, scale, config.error)


def shots_of(config: OwnLabelsConfig, train_y: np.ndarray, targets: Targets) -> ShotSplit:
    """Return the shot of each label bin: many, median or few training samples."""
    bins = len(np.unique(bin_index(train_y, targets.low, targets.bin_width)))
    few, many = config.few, config.many
    if many is None:
        many = max(round(_MANY * len(train_y) / bins), 1, (few or 0) - 1)
    if few is None:
        few = min(max(round(_FEW * len(train_y) / bins), 2), many + 1)
    return ShotSplit.from_train(train_y, targets.bin_width, many, few, low=targets.low)


@dataclass(frozen=True)
class OwnLabels:
    """Splits of the rows of a manifest, and the properties of the labels that follow from the training rows.

    Attributes:
        path: File of the manifest.
        splits: N splits, one per row.
        targets: Meaning of the labels.
        shots: Shot of each label bin.
        group: Column of the groups, or None.
        groups: N groups, one per row, or None.
        marks: Warnings about targets that are probably marks of missing values.
    """

    path: Path
    splits: tuple[SplitName, ...]
    targets: Targets
    shots: ShotSplit
    group: str | None = None
    groups: tuple[str, ...] | None = None
    marks: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        keys: Sequence[str],
        config: OwnLabelsConfig,
        accept: Callable[[npt.NDArray[np.int64]], object] | None = None,
    ) -> OwnLabels:
        """Return the labels of a manifest.

        Splits come from the manifest. If it has none, they come from a split file next to it, which is written if it
        does not exist and the list can be used. Splits of the manifest that break groups cause a warning.

        Args:
            manifest: Manifest of N rows.
            keys: N keys that identify the rows, whatever the target.
            config: Options from the YAML.
            accept: Function that is called with the indices of the training rows of a new split before the split is
                written, and raises an error if the other columns cannot be used.

        Raises:
            DataError: If the labels or the split file cannot be used.
        """
        groups = None if config.group is None else read_groups(manifest.cells, config.group)
        most = float(np.abs(manifest.y).max())
        if config.bin_width is not None and most / config.bin_width >= _MOST_EDGES:
            raise DataError(
                f"{manifest.path}: data.bin_width {edge_text(config.bin_width)} is too small for labels such as "
                f"{edge_text(most)}: bins of this width have no number that float64 holds"
            )
        if manifest.splits is None:
            width = config.bin_width or bin_width_of(manifest.y)
            rule = SplitRule(width, config.split_most, config.split_seed, config.target, config.group)
            listed = ListedRows(keys, manifest.y, groups, manifest.cells.columns)

            def check(new: tuple[SplitName, ...]) -> None:
                train = rows_of("train", new, manifest.path)
                targets_of(config, manifest.y[train], width)
                if accept is not None:
                    accept(train)

            splits = own_split(manifest.path, listed, rule, config.split_path, check)
        else:
            splits = manifest.splits
            if config.split_file is not None:
                raise DataError(
                    f"{manifest.path}: has a column {config.split!r}, so that data.split_file has no effect: set "
                    "data.split to null, or remove data.split_file"
                )
            if config.group is not None and groups is not None:
                warn_of_broken_groups(manifest.path, config.group, groups, splits)
            width = config.bin_width or bin_width_of(manifest.y[manifest.of_split("train")])
        train_y = manifest.y[rows_of("train", splits, manifest.path)]
        targets = targets_of(config, train_y, width)
        shots = shots_of(config, train_y, targets)
        found = tuple(marks(manifest.cells, config.target, MARK_OF_TARGET))
        return cls(manifest.path, splits, targets, shots, config.group, groups, found)

    def comparisons(self) -> list[SharedKeys]:
        """Return the comparison of the groups, if there are any."""
        groups = self.groups
        if groups is None:
            return []
        return [
            SharedKeys(f"the same {self.group}", lambda name: [(groups[row],) for row in self.where(name).tolist()])
        ]

    def where(self, name: SplitName) -> npt.NDArray[np.int64]:
        """Return the indices (n,) of the rows of a split.

        Raises:
            DataError: If the split has no rows.
        """
        return rows_of(name, self.splits, self.path)


def bin_width_of(y: np.ndarray) -> float:
    """Return a round bin width for labels (N,): the smallest that gives few enough bins for their number.

    The labels span at most 125 bins, and the bins that hold labels hold at least 5 on average, unless the labels span
    5 bins or fewer. The width is 1, 2 or 5 times a power of ten, and at least 1 if all labels are whole numbers.

    >>> bin_width_of(np.arange(700) % 101), bin_width_of(np.arange(700) / 140), bin_width_of(np.arange(50))
    (1.0, 0.05, 5.0)
    """
    labels = np.asarray(y, dtype=np.float64)
    spread = float(labels.max() - labels.min()) or 1.0
    whole = bool((labels == np.floor(labels)).all())
    power = math.floor(math.log10(spread / _MOST_BINS))
    widths = (float(f"{digit}e{exponent}") for exponent in itertools.count(power) for digit in (1, 2, 5))
    return next(width for width in widths if (not whole or width >= 1) and _fits(labels, spread, width))


def _fits(labels: npt.NDArray[np.float64], spread: float, width: float) -> bool:
    """Return whether bins of a width are few enough for the labels; see `bin_width_of`."""
    if spread / width > _MOST_BINS or np.abs(labels).max() / width >= _MOST_EDGES:
        return False
    bins = len(np.unique(bin_index(labels, 0.0, width)))
    return len(labels) >= _ROWS_OF_A_BIN * bins or spread / width <= _FEWEST_BINS
