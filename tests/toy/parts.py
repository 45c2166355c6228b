"""A data set of a few vectors, named in a YAML as a class of one's own: `tests.toy.parts:Waves`."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from groupdir.config.trial import DatasetConfig
from groupdir.data.base import Dataset, Inputs, InputSpec, Split, SplitName, Targets
from groupdir.metrics import ShotSplit


class Waves(Dataset):
    """Sines and cosines of the label with noise; labels 0..9, the low ones frequent."""

    class Config(DatasetConfig):
        size: int = 96
        broken: bool = False
        only: int | None = None  # the one label that all training samples have
        without: int | None = None  # a label that no training sample has

    config: Config
    augments = True

    @property
    def targets(self) -> Targets:
        return Targets(low=0, high=10, bin_width=1, unit="steps", center=5, scale=2)

    @property
    def inputs(self) -> InputSpec:
        return InputSpec("vector", (8,))

    @property
    def shots(self) -> ShotSplit:
        return ShotSplit.from_train(self.split("train").y, many=12, few=5)

    def build(self, split: SplitName) -> Split:
        rng = np.random.default_rng(["train", "val", "test"].index(split))
        long_tail = np.minimum(9, rng.exponential(2.5, self.config.size)).astype(int)
        y = long_tail if split == "train" else np.arange(40) % 10
        if split == "train" and self.config.only is not None:
            y = np.full_like(y, self.config.only)
        if split == "train" and self.config.without is not None:
            y = y[y != self.config.without]
        waves = np.outer(y, np.arange(1, 5)) / 10
        x = np.concatenate([np.sin(waves), np.cos(waves)], axis=1) + rng.normal(0, 0.05, (len(y), 8))
        if self.config.broken:
            x[3] = np.nan
        return Split((x.astype(np.float32),), y.astype(np.float32))

    def augment(self, inputs: Inputs, generator: torch.Generator) -> Inputs:
        noise = torch.randn(inputs[0].shape, generator=generator).to(inputs[0].device)
        return (inputs[0] + 0.05 * noise,)

    @classmethod
    def read_inputs(cls, path: Path, spec: InputSpec) -> tuple[tuple[np.ndarray, ...], list[Any]]:
        x = np.load(path).astype(np.float32)
        return (x,), list(range(len(x)))
