"""Memory for batches on a CPU, which is reused once an earlier batch is no longer referenced."""

from __future__ import annotations

import sys
from math import prod

import numpy as np
import torch
from torch import Tensor


class Buffers:
    """Pool of uninitialised tensors that reuses the memory of earlier tensors without references.

    A batch of 128 pictures takes 77 MB. The allocator returns so much memory to the system each time, and to get the
    pages again takes up to twice as long as to crop, flip and standardise the pictures. A tensor made from an array
    keeps a reference to the array as long as the tensor, a view of it, or a graph that saved it exists. So the
    reference count of the array shows whether its memory is free.

    Args:
        most: Number of arrays that are kept. If all are in use, a new array is allocated.
    """

    def __init__(self, most: int = 2) -> None:
        self._most = most
        self._arrays: list[np.ndarray] = []

    def empty(self, shape: tuple[int, ...]) -> Tensor:
        """Return an uninitialised float32 tensor of a shape."""
        count = prod(shape)
        for place in range(len(self._arrays)):
            free = sys.getrefcount(self._arrays[place]) <= 2  # references of the list and of this call
            if free and len(self._arrays[place]) >= count:
                return torch.from_numpy(self._arrays[place])[:count].view(shape)
        array = np.empty(count, dtype=np.float32)  # NumPy requests huge pages
        large = [kept for kept in self._arrays if len(kept) >= count]
        self._arrays = [*large[: self._most - 1], array]
        return torch.from_numpy(array).view(shape)
