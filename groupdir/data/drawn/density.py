"""Label densities: a long tail to train on, a balanced one to measure on; shared by the built-in pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from groupdir.config.trial import DatasetConfig
from groupdir.data.base import SplitName
from groupdir.metrics import ShotSplit

LABELS = 101
"""The labels are the whole numbers 0..100."""

MODES = ((1.0, 38.0, 13.0), (0.06, 70.0, 12.0))
"""The long tail: height, centre and standard deviation of each mode, the last two in labels."""

STREAMS: dict[SplitName, int] = {"train": 1, "val": 2, "test": 3}
"""Each split draws from a stream of its own, so that it is the same whatever else was built."""


class LongTailConfig(DatasetConfig):
    """Options that the built-in pictures share."""

    seed: int = Field(0, ge=0, description="Of every random draw of the data; the trial has its own.")
    train: int = Field(2500, ge=1, description="Training pictures.")
    val_per_label: int = Field(5, ge=1, description="Validation pictures of each label.")
    test_per_label: int = Field(20, ge=1, description="Test pictures of each label.")
    floor: float = Field(0.05, ge=0, le=1, description="Share of the training labels that is uniform over 0..100.")
    many: int = Field(21, ge=0, description="Labels with more training pictures than this are many-shot.")
    few: int = Field(4, ge=0, description="Labels with fewer training pictures than this are few-shot.")
    augment: Literal["none", "shift_noise"] = Field(
        "shift_noise", description="Of training on one view; two views of a picture always differ."
    )

    @model_validator(mode="after")
    def _shots_are_disjoint(self) -> Self:
        if self.few > self.many + 1:
            raise ValueError(f"few <= many + 1 must hold, got many={self.many}, few={self.few}")
        return self

    def labels(self, split: SplitName, rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Labels of a split: drawn from the long tail for training, each equally often and ascending elsewhere."""
        if split == "train":
            return rng.choice(LABELS, size=self.train, p=long_tailed(MODES, self.floor)).astype(np.float32)
        per_label = self.val_per_label if split == "val" else self.test_per_label
        return np.repeat(np.arange(LABELS, dtype=np.float32), per_label)

    def shots(self, train_y: npt.NDArray[np.float32]) -> ShotSplit:
        """Which labels have many, a median number of, or few training pictures."""
        return ShotSplit.from_train(train_y, bin_width=1, many=self.many, few=self.few)


def long_tailed(modes: Sequence[tuple[float, float, float]], floor: float) -> npt.NDArray[np.float64]:
    """A density `(LABELS,)` over 0..100: normal modes, mixed with the uniform density.

    Args:
        modes: Height, centre and standard deviation of each mode; only ratios of heights matter.
        floor: Share of the uniform density, in [0, 1]: without it the ends would never be seen in training.

    Raises:
        ValueError: On no modes, a height or standard deviation that is not positive, or a floor outside [0, 1].

    Example:
        >>> density = long_tailed(MODES, floor=0.05)
        >>> int(density.argmax()), round(2500 * float(density[38]), 1), round(2500 * float(density[100]), 1)
        (38, 70.5, 1.4)
    """
    if not 0 <= floor <= 1:
        raise ValueError(f"floor must be in [0, 1], got {floor}")
    if not modes or min(min(height, spread) for height, _, spread in modes) <= 0:
        raise ValueError(f"modes must be at least one, of heights and standard deviations > 0, got {modes}")
    label = np.arange(LABELS)
    peaks = np.sum([height * np.exp(-(((label - at) / spread) ** 2) / 2) for height, at, spread in modes], axis=0)
    density: npt.NDArray[np.float64] = (1 - floor) * peaks / peaks.sum() + floor / LABELS
    return density
