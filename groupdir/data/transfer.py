"""Conversion of arrays to tensors and transfer to a device, without needless copies or waits."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import torch
from torch import Tensor


def as_tensor(array: np.ndarray) -> Tensor:
    """Return a tensor that shares the memory of an array.

    Shared arrays are read-only, which torch warns about. The warning is suppressed, because no caller writes to them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on a device.

    A copy to a GPU goes through page-locked memory, so the host need not wait for it. Torch keeps this memory until the
    copy is done and then reuses it.
    """
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


@functools.cache
def constant(values: tuple[float | tuple[int, ...], ...], device: torch.device) -> Tensor:
    """Return a small tensor of constants on a device.

    The result is cached, because the host would otherwise wait for the GPU in every step that sends the constants.
    """
    return torch.tensor(values, device=device)
