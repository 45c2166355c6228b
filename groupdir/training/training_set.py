"""Training samples with their weights, bins and groups, kept on the device if they fit; and batches of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from groupdir.bins import bin_index, bins_between
from groupdir.config.stage import Stage
from groupdir.config.trial import MethodConfig, TrialConfig
from groupdir.data.base import Dataset, Split
from groupdir.data.transfer import as_tensor, on_device
from groupdir.methods.base import Batch, Method
from groupdir.registry import resolve
from groupdir.training.device_memory import free_bytes
from groupdir.weights.base import SampleWeights


@dataclass(frozen=True)
class TrainingSet:
    """N training samples.

    Attributes:
        inputs: Tensors of N rows, on the device, or on the host if they are too large for the device.
        y: (N,) targets in label units.
        weight: (N,) sample weights of mean 1.
        bins: (N,) int64, the label bin of each sample. Bins end at `Targets.bins_high`, which may be above the range of
            the groups.
        group: (N,) int64, the true group of each sample, or None for a method without groups.
    """

    inputs: tuple[Tensor, ...]
    y: Tensor
    weight: Tensor
    bins: Tensor
    group: Tensor | None

    @classmethod
    def of(
        cls, split: Split, dataset: Dataset, method: Method, config: TrialConfig, device: torch.device
    ) -> TrainingSet:
        """Compute weights, bins and groups once, and move everything that fits to the device."""
        targets = dataset.targets
        number = bins_between(targets.low, targets.bins_high, targets.bin_width)
        bins = bin_index(split.y, targets.low, targets.bin_width, number)
        group = method.true_group(as_tensor(split.y))
        return cls(
            _placed(split.inputs, device, config.train.device_share),
            as_tensor(split.y).to(device),
            _weights(config.method, dataset, split.y).to(device),
            torch.from_numpy(bins).to(device),
            None if group is None else group.to(device),
        )

    def __len__(self) -> int:
        return len(self.y)

    def batch(
        self, rows: Tensor, stage: Stage, dataset: Dataset, generator: torch.Generator, draws: Tensor | None = None
    ) -> Batch:
        """Return a batch of some samples, augmented as the stage and the data set require.

        Args:
            rows: (B,) indices of the samples, on the CPU.
            stage: The stage, which sets the number of views.
            dataset: The data set, which augments.
            generator: Source of all random numbers other than `draws`.
            draws: (views, N, dataset.draws) on the device, the epoch's random numbers of every sample, or None if the
                data set needs none.
        """
        indices = on_device(rows, self.y.device)
        inputs = tuple(_gathered(tensor, rows, indices) for tensor in self.inputs)
        if stage.views > 1 or dataset.augment_one_view:
            views = [
                dataset.augment(inputs, generator)
                if draws is None
                else dataset.view(inputs, draws[number, indices], stage.views)
                for number in range(stage.views)
            ]
            inputs = views[0] if stage.views == 1 else tuple(torch.cat(parts) for parts in zip(*views, strict=True))
        else:
            inputs = dataset.present(inputs, dataset.inputs)
        group = None if self.group is None else self.group[indices]
        return Batch(inputs, self.y[indices], self.weight[indices], group, stage.views, self.bins[indices])


def _placed(arrays: tuple[np.ndarray, ...], device: torch.device, share: float) -> tuple[Tensor, ...]:
    """Return the arrays as tensors, on the device if they take at most a share of its free memory, else on the host.

    On a CPU an array that is mapped from a file stays mapped, and nothing of it is read here.
    """
    tensors = tuple(as_tensor(array) for array in arrays)
    if device.type == "cuda" and sum(tensor.nbytes for tensor in tensors) > share * free_bytes(device):
        return tensors
    return tuple(tensor.to(device) for tensor in tensors)


def _gathered(tensor: Tensor, rows: Tensor, indices: Tensor) -> Tensor:
    """Return rows of a tensor on the device; a tensor on the host is copied through page-locked memory.

    Args:
        tensor: Tensor of N rows, on the device or on the host.
        rows: (B,) indices, on the CPU.
        indices: (B,) the same indices, on the device.
    """
    if tensor.device == indices.device:
        return tensor.index_select(0, indices)
    batch = torch.empty((len(rows), *tensor.shape[1:]), dtype=tensor.dtype, pin_memory=True)
    return torch.index_select(tensor, 0, rows, out=batch).to(indices.device, non_blocking=True)


def _weights(config: MethodConfig, dataset: Dataset, y: np.ndarray) -> Tensor:
    """Return the sample weights (N,) by the method's section of the trial."""
    if config.weights is None:
        return torch.ones(len(y))
    targets = dataset.targets
    mode: SampleWeights = resolve("weights", config.weights.mode)(config.weights)
    weights = mode.weights(y, bin_width=targets.bin_width, low=targets.low, high=targets.bins_high)
    return torch.from_numpy(weights)
