"""Label densities of the built-in pictures: long-tailed for training, balanced for validation and test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from groupdir.config.datasets import LongTailConfig
from groupdir.data.base import SplitName
from groupdir.metrics import ShotSplit

LABELS = 101
"""Number of labels, which are the whole numbers 0..100."""

MODES = ((1.0, 38.0, 13.0), (0.06, 70.0, 12.0))
"""Modes of the long-tailed density: height, centre and standard deviation, the last two in label units."""

STREAMS: dict[SplitName, int] = {"train": 1, "val": 2, "test": 3}
"""Seed part of each split. Separate random streams keep a split the same whichever other splits are built."""


def long_tail_labels(config: LongTailConfig, split: SplitName, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return the labels of a split: sampled from the long tail for train, else equally often and ascending."""
    if split == "train":
        return rng.choice(LABELS, size=config.train, p=long_tailed(MODES, config.floor)).astype(np.float32)
    per_label = config.val_per_label if split == "val" else config.test_per_label
    return np.repeat(np.arange(LABELS, dtype=np.float32), per_label)


def long_tail_shots(config: LongTailConfig, train_y: npt.NDArray[np.float32]) -> ShotSplit:
    """Return the shot of each label: many, median or few training pictures."""
    return ShotSplit.from_train(train_y, bin_width=1, many=config.many, few=config.few)


def long_tailed(modes: Sequence[tuple[float, float, float]], floor: float) -> npt.NDArray[np.float64]:
    """Return a density `(LABELS,)` over 0..100: a mixture of normal modes and the uniform density.

    Args:
        modes: Height, centre and standard deviation of each mode. Only the ratios of heights matter.
        floor: Share of the uniform density, in [0, 1]. At 0, the ends would never occur in training.

    Raises:
        ValueError: On an empty list of modes, a height or standard deviation that is not positive, or a floor outside
            [0, 1].

    Example:
        >>> density = long_tailed(MODES, floor=0.05)
        >>> int(density.argmax()), round(2500 * float(density[38]), 1), round(2500 * float(density[100]), 1)
        (38, 70.5, 1.4)
    """
    if not 0 <= floor <= 1:
        raise ValueError(f"floor must be in [0, 1], got {floor}")
    if not modes or min(min(height, spread) for height, _, spread in modes) <= 0:
        raise ValueError(f"modes must be at least one, with heights and standard deviations > 0, got {modes}")
    label = np.arange(LABELS)
    peaks = np.sum([height * np.exp(-(((label - at) / spread) ** 2) / 2) for height, at, spread in modes], axis=0)
    density: npt.NDArray[np.float64] = (1 - floor) * peaks / peaks.sum() + floor / LABELS
    return density
