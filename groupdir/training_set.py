"""The training samples on the device, with all that follows from their labels, and batches of them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from groupdir.bins import bin_index, bins_between
from groupdir.config import MethodConfig
from groupdir.data.base import Dataset, Split
from groupdir.labels import LDS, sample_weights
from groupdir.methods.base import Batch, Method, Stage


@dataclass(frozen=True)
class TrainingSet:
    """N training samples.

    Attributes:
        inputs: Tensors of N rows.
        y: (N,) targets in label units.
        weight: (N,) sample weights of mean 1.
        bins: (N,) int64, the label bin of each sample.
        group: (N,) the method's true groups, or None.
    """

    inputs: tuple[Tensor, ...]
    y: Tensor
    weight: Tensor
    bins: Tensor
    group: Tensor | None

    @classmethod
    def of(
        cls, split: Split, dataset: Dataset, method: Method, config: MethodConfig, device: torch.device
    ) -> TrainingSet:
        """Works out weights, bins and groups once, and moves everything to the device."""
        targets = dataset.targets
        bins = bin_index(
            split.y, targets.low, targets.bin_width, bins_between(targets.low, targets.high, targets.bin_width)
        )
        group = method.true_group(as_tensor(split.y))
        return cls(
            tuple(as_tensor(array).to(device) for array in split.inputs),
            as_tensor(split.y).to(device),
            _weights(config, dataset, split.y).to(device),
            torch.from_numpy(bins).to(device),
            None if group is None else group.to(device),
        )

    def __len__(self) -> int:
        return len(self.y)

    def batch(self, rows: Tensor, stage: Stage, dataset: Dataset, generator: torch.Generator) -> Batch:
        """The batch of some rows, augmented as the stage and the data set ask.

        Args:
            rows: (B,) indices, on the device.
            stage: For the number of views.
            dataset: For the augmentation.
            generator: The only source of randomness.
        """
        inputs = tuple(tensor[rows] for tensor in self.inputs)
        if stage.views > 1:
            views = [dataset.augment(inputs, generator) for _ in range(stage.views)]
            inputs = tuple(torch.cat(parts) for parts in zip(*views, strict=True))
        elif dataset.augment_one_view:
            inputs = dataset.augment(inputs, generator)
        group = None if self.group is None else self.group[rows]
        return Batch(inputs, self.y[rows], self.weight[rows], group, stage.views, self.bins[rows])


def as_tensor(array: np.ndarray) -> Tensor:
    """A tensor over the array's memory; shared arrays are read-only, of which torch warns, but nothing writes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def _weights(config: MethodConfig, dataset: Dataset, y: np.ndarray) -> Tensor:
    weights = config.weights
    if weights is None:
        return torch.ones(len(y))
    targets = dataset.targets
    lds = LDS(weights.lds.kernel, weights.lds.size, weights.lds.sigma) if weights.lds else None
    found = sample_weights(
        y,
        bin_width=targets.bin_width,
        low=targets.low,
        high=targets.high if targets.weights_high is None else targets.weights_high,
        mode=weights.mode,
        lds=lds,
        clip=weights.clip,
    )
    return torch.from_numpy(np.asarray(found, dtype=np.float32))
