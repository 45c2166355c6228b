"""Fused group-aware contrastive loss for CUDA tensors: two matrix products, five Triton kernels and one wait.

The kernels run optimistically in float32 and also measure how exact that was. If it was not exact enough, the result is
dropped. `group_contrastive` holds the mathematics and the operations that then serve.

Order on the stream, with x the centred features (or directions) sorted by group:

    prepare      sorted order, first and last position of each group, a central point
    gather       x, |x|^2
    product      p = x x^T (of the directions themselves for cosines)
    anchors      p_ij becomes q_ij = (dloss/ds_ij) B (B - 1), over d_ij where the similarity is a distance
    symmetrise   q_ij becomes q_ij + q_ji; the loss and the extremes, which the host reads while the rest runs
    product      y = (q + q^T) x
    scatter      row i of the gradient, y_i - (sum_j q_ij + q_ji) x_i, at its place in the batch
"""

from __future__ import annotations

import functools
import importlib.util
import math
import os
import shutil
import sysconfig
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from groupdir.losses.directions import products_keep_float32
from groupdir.losses.group_contrastive_exactness import cosine_errors, distance_errors, exact_in_float32, is_noise

DEVICE = "cuda"
"""Type of the devices on which the kernels run; a test replaces it, because Triton's interpreter runs on a CPU."""

SMALLEST_BATCH = 3
"""The gradient of two samples is 0. The fused path would return its rounding error, and the other path returns 0."""

LARGEST_BATCH, LARGEST_WIDTH = 8_192, 8_192
"""Sizes up to which one program holds a row of the B x B matrix, or one sample."""

_ANCHORS, _OTHERS, _COLUMNS, _TILE = 16, 128, 64, 32
"""Sizes of the tiles: anchors and samples that are compared at once, columns of a mean, side of a transposed tile."""

_TABLE = 1024
"""Integer groups that span fewer values than this find their mirrored groups in a table, others by a search."""

_SMALLEST_BLOCK = 128
"""One element for each thread of four warps."""

_FEATURE_TYPES = {torch.float32, torch.float16, torch.bfloat16}
_GROUP_TYPES = {torch.int32, torch.int64, torch.float32, torch.float64}
"""Types that the kernels read. Groups of other types are converted first."""


@dataclass(frozen=True)
class Outcome:
    """Result of a fused pass, and the figures that say how exact it is.

    Attributes:
        loss: The loss, a scalar on the device.
        gradient: Its gradient `(B, D)`, not computed if none was wanted.
        exact: False where the loss is not finite, or the kernels cannot rank the groups exactly.
        nearest: Least distance off the diagonal, 0 where rounding made its square negative. 0 for cosines.
        farthest: Largest distance. 0 for cosines.
        longest: Largest length of a centred feature. 0 for cosines.
    """

    loss: Tensor
    gradient: Tensor
    exact: bool
    nearest: float
    farthest: float
    longest: float


def fused_value_and_gradient(
    z: Tensor, group: Tensor, temperature: float, similarity: str, want_gradient: bool
) -> tuple[Tensor, Tensor] | None:
    """Return loss and gradient, or None where the fused path does not apply or is not exact enough.

    Targets that are not finite give None, too. The gradient has no meaning if none is wanted.
    """
    if not (applies(z) and products_keep_float32(z.device)):
        return None
    cosine = similarity == "cosine"
    if cosine and not exact_in_float32(cosine_errors(temperature), 2 / temperature):
        return None
    outcome = fused_pass(z, group, temperature, similarity, want_gradient)
    if outcome.exact and (cosine or _is_exact(outcome, z.shape[1], temperature)):
        return outcome.loss, outcome.gradient
    return None


def _is_exact(outcome: Outcome, width: int, temperature: float) -> bool:
    """Return whether the distances of a pass were exact enough in float32."""
    errors = distance_errors(outcome.nearest, outcome.longest, temperature)
    span = (outcome.farthest - outcome.nearest) / temperature
    noise = is_noise(outcome.nearest**2, outcome.longest, width, torch.float32)
    return not noise and exact_in_float32(errors, span)


def applies(z: Tensor) -> bool:
    """Return whether a fused pass can take a batch. On a machine without Triton or a C compiler, warn once."""
    return (
        z.device.type == DEVICE
        and z.dtype in _FEATURE_TYPES
        and SMALLEST_BATCH <= len(z) <= LARGEST_BATCH
        and 1 <= z.shape[1] <= LARGEST_WIDTH
        and can_compile()
    )


@functools.cache
def can_compile() -> bool:
    """Return whether Triton can compile kernels here; warn with the reason if it cannot."""
    reason = obstacle()
    if reason:
        warnings.warn(
            f"The group-aware contrastive loss runs on its slower path on this GPU: {reason}",
            RuntimeWarning,
            stacklevel=2,
        )
    return not reason


def obstacle() -> str:
    """Return why Triton cannot compile kernels here and what to do, or "".

    Triton builds a small C program at run time. It takes the compiler named in CC, else gcc or clang, and needs the
    header Python.h.
    """
    if torch.version.cuda is None:
        return "this build of PyTorch is not for CUDA"
    if importlib.util.find_spec("triton") is None:
        return "the package triton is not installed. Install it with pip install triton"
    compiler = os.environ.get("CC")
    if not (shutil.which(compiler) if compiler else shutil.which("gcc") or shutil.which("clang")):
        return f"no C compiler was found ({f'CC is {compiler}' if compiler else 'gcc or clang'}). Install gcc"
    scheme = sysconfig.get_default_scheme()
    header = Path(sysconfig.get_path("include", "posix_prefix" if scheme == "posix_local" else scheme)) / "Python.h"
    return "" if header.is_file() else f"{header} is missing. Install the development files of Python (python3-dev)"


def fused_pass(z: Tensor, group: Tensor, temperature: float, similarity: str, want_gradient: bool) -> Outcome:
    """Compute loss and gradient of a batch in float32, with one wait for the figures of `Outcome`."""
    z, group = z.detach().contiguous(), group.detach().contiguous()
    if group.dtype not in _GROUP_TYPES:
        group = group.to(torch.float64 if group.is_floating_point() else torch.int64)
    layout = (z.data_ptr() % 16, group.data_ptr() % 16)
    plan = _plan(z.device, len(z), z.shape[1], z.dtype, group.dtype, similarity, layout)
    if z.device.type == "cuda" and z.device.index != torch.cuda.current_device():
        with torch.cuda.device(z.device):
            return plan.run(z, group, temperature, want_gradient)
    return plan.run(z, group, temperature, want_gradient)


@dataclass
class _Launch:
    """Kernel with its grid and constants.

    From its second launch on, it calls the compiled kernel directly, because Triton's own look-up of the kernel takes
    longer than a small kernel runs. That is correct while the types and alignments of the arguments stay the same.
    """

    kernel: Any
    constants: tuple[Any, ...]
    warps: int = 4
    compiled: Any = field(default=None, init=False)

    def __call__(self, programs: int, *arguments: Any) -> None:
        if self.compiled is None:  # Triton's interpreter returns None and compiles nothing
            self.compiled = self.kernel[programs,](*arguments, *self.constants, num_warps=self.warps)
        else:
            self.compiled[programs, 1, 1](*arguments, *self.constants)


@functools.lru_cache(maxsize=64)
def _plan(
    device: torch.device,
    batch: int,
    features: int,
    dtype: torch.dtype,
    group_dtype: torch.dtype,
    similarity: str,
    layout: tuple[int, int],
) -> _Plan:
    """Return the launches for one kind of batch. Every argument decides what Triton compiles or how it is called."""
    return _Plan(device, batch, features, group_dtype.is_floating_point, similarity)


class _Plan:
    """Launches of all kernels for batches of one kind."""

    def __init__(self, device: torch.device, batch: int, features: int, raw: bool, similarity: str) -> None:
        from groupdir.losses import group_contrastive_kernels as kernels

        self.device, self.batch, self.features = device, batch, features
        self.normalise, self.cosine = similarity != "negative_l2", similarity == "cosine"
        self.value_dtype = torch.float64 if raw else torch.int32
        self.tiles = math.ceil(batch / _TILE)
        self.table = 0 if raw else _TABLE
        self.rankings = math.ceil(batch / _ANCHORS) + self.table // _ANCHORS
        block, width = block_of(batch), block_of(features)
        steps, tiles = block.bit_length() - 1, block // _TILE  # bounds that batches of similar size share
        sample = 16 if self.normalise else 64
        unit = (self.normalise,)
        self.prepare = _Launch(kernels.prepare, (*unit, _ANCHORS, _OTHERS, self.table, sample, _COLUMNS))
        self.gather = _Launch(kernels.gather, (*unit, self.cosine, width), warps_of(width))
        self.anchors = _Launch(kernels.anchors, (self.cosine, self.table, steps, block), warps_of(block))
        self.symmetrise = _Launch(kernels.symmetrise, (self.cosine, _TILE))
        self.scatter = _Launch(kernels.scatter, (*unit, _TILE, tiles, width), warps_of(width))

    def run(self, z: Tensor, group: Tensor, temperature: float, want_gradient: bool) -> Outcome:
        """Launch the kernels on the current stream and wait for the extremes."""
        batch, features = self.batch, self.features
        floats = functools.partial(torch.empty, dtype=torch.float32, device=self.device)
        index = torch.empty(3 * batch + self.table, dtype=torch.int32, device=self.device)
        value = torch.empty(batch, dtype=self.value_dtype, device=self.device)
        points, center, row_values = floats((batch, features)), floats(features), floats((5, batch))
        direction = floats((batch, features)) if self.cosine else points
        columns = math.ceil(features / _COLUMNS)
        self.prepare(self.rankings + columns, z, group, value, index, center, batch, features)
        self.gather(batch, z, index, center, points, direction, row_values, batch, features)
        matrix, sums = floats((batch, batch)), floats((batch, self.tiles))
        torch.mm(direction, direction.t(), out=matrix)
        del direction
        self.anchors(batch, matrix, value, index, row_values, batch, 1 / temperature)
        loss, extremes = floats(()), floats(4)
        programs = 1 + self.tiles**2 if want_gradient else 1
        self.symmetrise(programs, matrix, row_values, sums, loss, extremes, batch)
        read = _read_later(extremes)
        gradient = points
        if want_gradient:
            product = floats((batch, features))
            torch.mm(matrix, points, out=product)  # `out`, so that autocast leaves the product in float32
            del matrix  # its memory serves the gradient
            gradient = floats((batch, features))
            scale = 1 / (temperature * batch * (batch - 1))
            arguments = (product, points, center, row_values, sums, index, gradient, batch, features, scale)
            self.scatter(batch, *arguments)
        mean, *squares = read()
        nearest, farthest, longest = (0.0 if self.cosine else math.sqrt(max(square, 0.0)) for square in squares)
        return Outcome(loss, gradient, math.isfinite(mean), nearest, farthest, longest)


def _read_later(values: Tensor) -> Callable[[], list[float]]:
    """Copy a few values to the host and return a function that waits for them, but not for kernels launched later."""
    if values.device.type != "cuda":
        return values.tolist
    host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
    host.copy_(values, non_blocking=True)
    copied = torch.cuda.current_stream(values.device).record_event()

    def read() -> list[float]:
        copied.synchronize()
        numbers: list[float] = host.tolist()
        return numbers

    return read


def block_of(size: int) -> int:
    """Return the length of the vector that holds a row of this size, a power of two."""
    return max(_SMALLEST_BLOCK, 1 << (size - 1).bit_length())


def warps_of(block: int) -> int:
    """Return the warps that share a row: at most eight elements for each thread up to 4,096, sixteen above."""
    return {128: 4, 256: 4, 512: 4, 1024: 8, 2048: 8, 4096: 16, 8192: 16}.get(block, 32)
