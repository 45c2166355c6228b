"""Base of the built-in picture data sets: long-tailed labels 0..100, and small grey pictures drawn for them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from groupdir.config.datasets import LongTailConfig
from groupdir.data.base import Dataset, Inputs, InputSpec, Split, SplitName, Targets
from groupdir.data.drawn.density import STREAMS, long_tail_labels, long_tail_shots
from groupdir.metrics import ShotSplit

if TYPE_CHECKING:
    import torch

SIZE = 32
"""Height and width of a picture, in pixels."""


class DrawnPictures(Dataset):
    """Data set that samples labels from a long-tailed density and draws a picture for each.

    Attributes:
        unit: Name of the label unit.
    """

    config: LongTailConfig
    augments = True
    unit: ClassVar[str]

    def __init__(self, config: LongTailConfig) -> None:
        super().__init__(config)
        self.augment_one_view = config.augment != "none"

    @abstractmethod
    def draw(self, split: SplitName, y: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Return pictures `(N, 1, 32, 32)` for labels `(N,)`."""

    @property
    def targets(self) -> Targets:
        """Labels 0..100. The label 100 belongs to the last group."""
        return Targets(low=0, high=100, bin_width=1, unit=self.unit, center=50, scale=10)

    @property
    def inputs(self) -> InputSpec:
        """Grey pictures, about 0..1, because noise may exceed this range."""
        return InputSpec("image", (1, SIZE, SIZE))

    @property
    def shots(self) -> ShotSplit:
        """Shots by the number of training pictures of each label."""
        return long_tail_shots(self.config, self.labels("train"))

    def labels(self, name: SplitName) -> np.ndarray:
        """Return the labels of a split without drawing its pictures."""
        return self._splits[name].y if name in self._splits else self._stream(name)[1]

    def build(self, split: SplitName) -> Split:
        """Draw the labels and pictures of a split."""
        rng, y = self._stream(split)
        return Split((self.draw(split, y, rng),), y)

    def _stream(self, split: SplitName) -> tuple[np.random.Generator, npt.NDArray[np.float32]]:
        """Return the random numbers of a split after its labels were drawn, and the labels."""
        rng = np.random.default_rng([self.config.seed, STREAMS[split]])
        return rng, long_tail_labels(self.config, split, rng)

    def augment(self, inputs: Inputs, generator: torch.Generator) -> Inputs:
        """Move each picture by up to 2 pixels, change its contrast and add noise, independently of the label."""
        from groupdir.data.pictures import shift_noise

        return (shift_noise(inputs[0], generator),)

    @classmethod
    def read_inputs(cls, path: Path, spec: InputSpec) -> tuple[tuple[np.ndarray, ...], Sequence[Any]]:
        """Read pictures of 32x32 from a .npy or .npz file, a picture file, or a folder of picture files."""
        from groupdir.data.pictures import read_pictures

        return read_pictures(path, spec)
