"""What the built-in picture data sets share: long-tailed labels 0..100, small grey pictures that are drawn for them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from groupdir.config.datasets import LongTailConfig
from groupdir.data import pictures
from groupdir.data.base import Dataset, Inputs, InputSpec, Split, SplitName, Targets
from groupdir.data.drawn.density import STREAMS, long_tail_labels, long_tail_shots
from groupdir.metrics import ShotSplit

SIZE = 32
"""Height and width of a picture, in pixels."""


class DrawnPictures(Dataset):
    """Draws labels by a long-tailed density, then a picture for each.

    Attributes:
        unit: What labels count.
    """

    config: LongTailConfig
    augments = True
    unit: ClassVar[str]

    def __init__(self, config: LongTailConfig) -> None:
        super().__init__(config)
        self.augment_one_view = config.augment != "none"

    @abstractmethod
    def draw(self, split: SplitName, y: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Pictures `(N, 1, 32, 32)` for labels `(N,)`."""

    @property
    def targets(self) -> Targets:
        """Labels 0..100; 100 belongs to the last group."""
        return Targets(low=0, high=100, bin_width=1, unit=self.unit, center=50, scale=10)

    @property
    def inputs(self) -> InputSpec:
        """Grey pictures, about 0..1: noise may leave that range."""
        return InputSpec("image", (1, SIZE, SIZE))

    @property
    def shots(self) -> ShotSplit:
        """By the number of training pictures of each label."""
        return long_tail_shots(self.config, self.split("train").y)

    def build(self, split: SplitName) -> Split:
        """Draws one split's labels and pictures."""
        rng = np.random.default_rng([self.config.seed, STREAMS[split]])
        y = long_tail_labels(self.config, split, rng)
        return Split((self.draw(split, y, rng),), y)

    def augment(self, inputs: Inputs, generator: torch.Generator) -> Inputs:
        """Moves each picture by up to 2 pixels, changes its contrast and adds noise; none of it tells the label."""
        return (pictures.shift_noise(inputs[0], generator),)

    @classmethod
    def read_inputs(cls, path: Path, spec: InputSpec) -> tuple[tuple[np.ndarray, ...], Sequence[Any]]:
        """Pictures of 32x32 from a .npy or .npz, a picture file, or a folder of them."""
        return pictures.read_pictures(path, spec)
