"""Rotated handwritten digits: how far has the digit been turned? The built-in default; nothing to download."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from groupdir.config import DatasetConfig
from groupdir.data.base import Dataset

SIZE = 32
"""Height and width of a picture, in pixels."""

_SHARES = {"train": 0.60, "val": 0.15, "test": 0.25}  # of the source images; no image is in two splits
_DEGREES = 150.0
_INVERSE_SCALE = (0.95, 1.45)
_SHIFT = 0.2
_GAIN = (0.6, 1.0)
_NOISE = 0.1


class Digits(Dataset):
    """Real handwritten digits turned by -75 to 75 degrees, labels 0..100, long-tailed; built in.

    The 1,797 images of 8x8 that scikit-learn carries are split by image; each picture is one of its split's images,
    turned by 150 (label / 100 - 1/2) degrees, scaled, shifted and darkened at random, with noise. Training labels follow
    a long-tailed density with modes at 38 and 70; validation and test labels are balanced.

    Each split has its own random stream, so none depends on which others were built. The same `seed` gives the same
    pictures whatever the trial's own seed is.
    """

    class Config(DatasetConfig):
        """Options of the rotated digits."""

        seed: int = Field(0, ge=0, description="Of the data: split of the images, labels, and every random draw.")
        train: int = Field(2500, ge=1, description="Number of training pictures.")
        val_per_label: int = Field(5, ge=1, description="Validation pictures of each of the 101 labels.")
        test_per_label: int = Field(20, ge=1, description="Test pictures of each of the 101 labels.")
        floor: float = Field(0.05, ge=0, le=1, description="Share of the training labels that is uniform over 0..100.")
        many: int = Field(21, ge=0, description="Labels with more training pictures than this are many-shot.")
        few: int = Field(4, ge=0, description="Labels with fewer training pictures than this are few-shot.")
        augment: Literal["none", "shift_noise"] = Field(
            "none", description="Whether one-view methods see varied pictures too; two-view methods always do."
        )

    config: Config
    augments = True
