"""Arrays to tensors, and rows of them to a device, without a copy or a wait that is not needed."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import torch
from torch import Tensor


def as_tensor(array: np.ndarray) -> Tensor:
    """A tensor over the array's memory; shared arrays are read-only, of which torch warns, but nothing writes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device.

    To a GPU it goes through page-locked memory, so that the host need not wait for the copy: torch keeps that memory
    until the copy is done, and then takes it for the next.
    """
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


@functools.cache
def constant(values: tuple[float | tuple[int, ...], ...], device: torch.device) -> Tensor:
    """A small tensor on a device, sent there once: a GPU that is sent it in every step is waited for in every step."""
    return torch.tensor(values, device=device)
