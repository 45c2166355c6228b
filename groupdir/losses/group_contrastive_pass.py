"""One pass of the fused group-aware contrastive loss: two matrix products, five Triton kernels and one wait.

Order on the stream, with x the centred features (or directions) sorted by group:

    prepare      sorted order, first and last position of each group, a central point
    gather       x, |x|^2
    product      p = x x^T (of the directions themselves for cosines)
    anchors      p_ij becomes q_ij = (dloss/ds_ij) B (B - 1), over d_ij where the similarity is a distance
    symmetrise   q_ij becomes q_ij + q_ji; the loss and the extremes, which the host reads while the rest runs
    product      y = (q + q^T) x
    scatter      row i of the gradient, y_i - (sum_j q_ij + q_ji) x_i, at its place in the batch

The host takes longer to launch a small batch than the card to compute it. So a plan keeps whatever does not change
between batches of one kind, small results share one allocation, and kernels receive plain addresses.
"""

from __future__ import annotations

import ctypes
import functools
import math
import threading
from collections.abc import Callable
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor

from groupdir.losses.group_contrastive_exactness import relative_noise

_ANCHORS, _OTHERS, _COLUMNS, _TILE = 16, 128, 64, 32
"""Sizes of the tiles: anchors and samples that are compared at once, columns of a mean, side of a transposed tile."""

_TABLE = 1024
"""Integer groups that span fewer values than this find their mirrored groups in a table, others by a search."""

_SMALLEST_BLOCK = 128
"""One element for each thread of four warps."""

_ALIGNMENT = 256
"""Bytes at whose multiples every part of a shared allocation begins. Triton compiles for multiples of 16."""

_GROUP_TYPES = {torch.int32, torch.int64, torch.float32, torch.float64}
"""Types that the kernels read. Groups of other types are converted first."""


class Outcome(NamedTuple):
    """Result of a pass, and the figures that say how exact it is.

    Attributes:
        loss: The loss, a scalar on the device.
        gradient: Its gradient `(B, D)`, not computed if none was wanted.
        finite: False where the loss is not finite, or the kernels cannot rank the groups exactly.
        nearest: Least distance off the diagonal, 0 where rounding made its square negative. 0 for cosines.
        farthest: Largest distance. 0 for cosines.
        longest: Largest length of a centred feature. 0 for cosines.
    """

    loss: Tensor
    gradient: Tensor
    finite: bool
    nearest: float
    farthest: float
    longest: float


def fused_pass(
    z: Tensor, group: Tensor, temperature: float, similarity: str, want_gradient: bool, dtype: torch.dtype
) -> Outcome:
    """Compute loss and gradient of a batch with one wait for the figures of `Outcome`.

    `dtype` is float32 or float64, the type of all sums and products. Results are float32.
    """
    z, group = z.detach().contiguous(), group.contiguous()
    if group.dtype not in _GROUP_TYPES:
        group = group.to(torch.float64 if group.is_floating_point() else torch.int64)
    layout = (z.data_ptr() % 16, group.data_ptr() % 16)
    device = z.device
    plan = _plan(device, z.shape, (z.dtype, group.dtype, dtype), similarity, want_gradient, layout)
    if device.type == "cuda" and device.index != torch.cuda.current_device():
        with torch.cuda.device(device):
            return plan.run(z, group, temperature)
    return plan.run(z, group, temperature)


class _Launch:
    """Kernel with its number of programs and its constants.

    From its second launch on, it calls the compiled kernel directly, because Triton's own look-up of the kernel takes
    longer than a small kernel runs. That is correct while the types and alignments of the arguments stay the same.
    """

    def __init__(self, kernel: Any, programs: int, constants: tuple[Any, ...], warps: int = 4) -> None:
        self.kernel, self.programs, self.constants, self.warps = kernel, programs, constants, warps
        self.launch: Any = None

    def __call__(self, stream: int, *arguments: Any) -> None:
        if self.launch is not None:
            self.launch(*arguments, *self.constants, stream=stream)
            return
        compiled = self.kernel[self.programs,](*arguments, *self.constants, num_warps=self.warps)
        if compiled is not None:  # Triton's interpreter returns None and compiles nothing
            self.launch = compiled[self.programs, 1, 1]


class _Mail(threading.local):
    """Pinned memory and an event of each device through which this thread reads the figures of a pass."""

    def __init__(self) -> None:
        self._kept: dict[torch.device, tuple[Tensor, torch.cuda.Event | None]] = {}

    def of(self, device: torch.device) -> tuple[Tensor, torch.cuda.Event | None]:
        """Return the memory and the event of a device; on a CPU there is no event."""
        kept = self._kept.get(device)
        if kept is None:
            on_card = device.type == "cuda"
            event = torch.cuda.Event() if on_card else None  # type: ignore[no-untyped-call]
            with torch.inference_mode(False):  # tensors made in that mode could not be written outside it
                memory = torch.empty(4, dtype=torch.float32, pin_memory=on_card)
            kept = self._kept[device] = (memory, event)
        return kept


_MAIL = _Mail()


@functools.lru_cache(maxsize=64)
def _plan(
    device: torch.device,
    shape: tuple[int, int],
    types: tuple[torch.dtype, torch.dtype, torch.dtype],
    similarity: str,
    want_gradient: bool,
    layout: tuple[int, int],
) -> _Plan:
    """Return the launches for one kind of batch. Every argument decides what Triton compiles or how it is called."""
    _, group_dtype, dtype = types
    return _Plan(device, *shape, group_dtype.is_floating_point, dtype, similarity, want_gradient)


class _Plan:
    """Launches of all kernels for batches of one kind."""

    def __init__(
        self,
        device: torch.device,
        batch: int,
        features: int,
        raw: bool,
        dtype: torch.dtype,
        similarity: str,
        want_gradient: bool,
    ) -> None:
        self.device, self.batch, self.features, self.want_gradient = device, batch, features, want_gradient
        self.cosine, normalise = similarity == "cosine", similarity != "negative_l2"
        self.real: dict[str, Any] = {"dtype": dtype, "device": device}
        self.result: dict[str, Any] = {"dtype": torch.float32, "device": device}
        self.noise = relative_noise(features, dtype)
        tiles, table = math.ceil(batch / _TILE), 0 if raw else _TABLE
        self._launches(batch, features, table, normalise, tiles, dtype.itemsize // 4)
        self.parts = [
            (3 * batch + table, torch.int32),  # index
            (batch, torch.float64 if raw else torch.int32),  # value
            (features, dtype),  # center
            (5 * batch, dtype),  # row_values
            (batch * tiles, dtype),  # sums
        ]
        sizes = [-(-size * dtype.itemsize // _ALIGNMENT) * _ALIGNMENT for size, dtype in self.parts]
        *self.offsets, self.bytes = accumulate(sizes, initial=0)
        self.compiled = False

    def _launches(self, batch: int, features: int, table: int, normalise: bool, tiles: int, words: int) -> None:
        from groupdir.losses import group_contrastive_kernels as kernels
        from groupdir.losses import group_contrastive_result_kernels as result_kernels

        block, width = block_of(batch), block_of(features)
        steps, most_tiles = block.bit_length() - 1, block // _TILE  # bounds that batches of similar size share
        programs = math.ceil(batch / _ANCHORS) + table // _ANCHORS + math.ceil(features / _COLUMNS)
        sample = 16 if normalise else 64
        constants = (normalise, _ANCHORS, _OTHERS, table, sample, _COLUMNS)
        self.prepare = _Launch(kernels.prepare, programs, constants)
        self.gather = _Launch(kernels.gather, batch, (normalise, self.cosine, width), warps_of(words * width))
        self.anchors = _Launch(kernels.anchors, batch, (self.cosine, table, steps, block), warps_of(words * block))
        programs = 1 + tiles**2 if self.want_gradient else 1
        self.symmetrise = _Launch(result_kernels.symmetrise, programs, (self.cosine, _TILE))
        self.scatter = _Launch(
            result_kernels.scatter, batch, (normalise, _TILE, most_tiles, width), warps_of(words * width)
        )

    def run(self, z: Tensor, group: Tensor, temperature: float) -> Outcome:
        """Launch the kernels on the current stream and wait for the figures."""
        batch, features, device, at = self.batch, self.features, self.device, self._at()
        stream = torch.cuda.current_stream(device) if device.type == "cuda" else None
        queue = 0 if stream is None else stream.cuda_stream
        small = torch.empty(self.bytes, dtype=torch.uint8, device=device)
        index, value, center, row_values, sums = self._split(small)
        points = torch.empty(batch, features, **self.real)
        direction = torch.empty(batch, features, **self.real) if self.cosine else points
        self.prepare(queue, at(z), at(group), value, index, center, batch, features)
        self.gather(queue, at(z), index, center, at(points), at(direction), row_values, batch, features)
        matrix = torch.empty(batch, batch, **self.real)
        torch.mm(direction, direction.t(), out=matrix)
        del direction
        self.anchors(queue, at(matrix), value, index, row_values, batch, *_halves(1 / temperature), self.noise)
        loss, extremes = torch.empty((), **self.result), torch.empty(4, **self.result)
        self.symmetrise(queue, at(matrix), row_values, sums, at(loss), at(extremes), batch)
        figures, copied = _MAIL.of(device)
        figures.copy_(extremes, non_blocking=True)
        if copied is not None:
            copied.record(stream)
        gradient = points
        if self.want_gradient:
            product = torch.empty(batch, features, **self.real)
            torch.mm(matrix, points, out=product)  # `out`, so that autocast leaves the type of the product
            del matrix  # its memory serves the gradient
            gradient = torch.empty(batch, features, **self.result)
            scale = 1 / (temperature * batch * (batch - 1))
            arguments = (at(product), at(points), center, row_values, sums, index, at(gradient), batch, features)
            self.scatter(queue, *arguments, scale)
        self.compiled = self.prepare.launch is not None
        if copied is not None:
            copied.synchronize()
        return self._outcome(loss, gradient, *figures.tolist())

    def _at(self) -> Callable[[Tensor], Any]:
        """Return a function that gives a kernel a tensor: the tensor until all are compiled, then its address.

        Triton reads the type of a tensor when it compiles. Later it would only ask each tensor for its address and the
        driver whether the address is one of the card.
        """
        return Tensor.data_ptr if self.compiled else _itself

    def _split(self, small: Tensor) -> list[Any]:
        """Return the parts of the allocation of small results, as `_at` gives tensors."""
        if self.compiled:
            start = small.data_ptr()
            return [start + offset for offset in self.offsets]
        return [
            small[offset : offset + size * dtype.itemsize].view(dtype)
            for offset, (size, dtype) in zip(self.offsets, self.parts, strict=True)
        ]

    def _outcome(self, loss: Tensor, gradient: Tensor, mean: float, *squares: float) -> Outcome:
        finite = math.isfinite(mean)
        if self.cosine:
            return Outcome(loss, gradient, finite, 0.0, 0.0, 0.0)
        nearest, farthest, longest = (math.sqrt(max(square, 0.0)) for square in squares)
        return Outcome(loss, gradient, finite, nearest, farthest, longest)


def _halves(number: float) -> tuple[float, float]:
    """Return a number rounded to float32, and the remainder."""
    rounded = ctypes.c_float(number).value
    return rounded, number - rounded


def _itself(tensor: Tensor) -> Tensor:
    return tensor


def block_of(size: int) -> int:
    """Return the length of the vector that holds a row of this size, a power of two."""
    return max(_SMALLEST_BLOCK, 1 << (size - 1).bit_length())


def warps_of(words: int) -> int:
    """Return the warps that share a row of so many 4-byte words: up to eight for each thread, sixteen above 4,096."""
    return {128: 4, 256: 4, 512: 4, 1024: 8, 2048: 8, 4096: 16, 8192: 16}.get(words, 32)
