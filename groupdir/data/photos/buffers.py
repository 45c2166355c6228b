"""Memory for batches on a CPU, used again once the batch before is gone."""

from __future__ import annotations

import sys
from math import prod

import numpy as np
import torch
from torch import Tensor


class Buffers:
    """Gives tensors whose values are not set, in memory of tensors that it gave before and that nobody holds any more.

    A batch of 128 pictures takes 77 MB, which an allocator hands back to the system each time: to get its pages anew
    takes up to twice as long as to crop, flip and standardise the pictures. A tensor made of an array holds a reference
    to it for as long as anyone holds the tensor, a view of it, or a graph that saved it, so that the array's reference
    count tells when its memory is free.

    Args:
        most: Arrays that are kept; one more batch at once gets memory of its own.
    """

    def __init__(self, most: int = 2) -> None:
        self._most = most
        self._arrays: list[np.ndarray] = []

    def empty(self, shape: tuple[int, ...]) -> Tensor:
        """A float32 tensor of a shape."""
        count = prod(shape)
        for place in range(len(self._arrays)):
            free = sys.getrefcount(self._arrays[place]) <= 2  # the list's and the call's own
            if free and len(self._arrays[place]) >= count:
                return torch.from_numpy(self._arrays[place])[:count].view(shape)
        array = np.empty(count, dtype=np.float32)  # NumPy asks for huge pages
        large = [kept for kept in self._arrays if len(kept) >= count]
        self._arrays = [*large[: self._most - 1], array]
        return torch.from_numpy(array).view(shape)
