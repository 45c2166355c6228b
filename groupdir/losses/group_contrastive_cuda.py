"""Choice of the fused group-aware contrastive loss: which batches on a CUDA card it serves, and in which type.

The kernels run optimistically in float32 and also measure how exact that was. If it was not exact enough, the result is
dropped and the kernels run again in float64. Near duplicates need that, such as two augmented views of each sample.
`group_contrastive` holds the mathematics, and the operations that serve where float64 does not suffice either.
`group_contrastive_pass` holds the order of the kernels.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import shutil
import sysconfig
import warnings
from pathlib import Path

import torch
from torch import Tensor

from groupdir.losses.directions import products_keep_float32
from groupdir.losses.group_contrastive_exactness import (
    EXPONENT_LIMIT,
    TOLERANCE,
    cosine_errors,
    distance_errors,
    is_noise,
)
from groupdir.losses.group_contrastive_pass import Outcome, fused_pass

DEVICE = "cuda"
"""Type of the devices on which the kernels run; a test replaces it, because Triton's interpreter runs on a CPU."""

SMALLEST_BATCH = 3
"""The gradient of two samples is 0. The fused path would return its rounding error, and the other path returns 0."""

LARGEST_BATCH, LARGEST_WIDTH = 8_192, 8_192
"""Sizes up to which one program holds a row of the B x B matrix, or one sample."""

LARGEST_DOUBLE_BATCH = 4_096
"""Size up to which one program holds a row of the B x B matrix in float64."""

_SPAN = {dtype: 2 * limit for dtype, limit in EXPONENT_LIMIT.items()}
"""Largest difference of two s with which exp and its sums stay normal numbers, in each type."""

_FEATURE_TYPES = {torch.float32, torch.float16, torch.bfloat16}


def fused_value_and_gradient(
    z: Tensor, group: Tensor, temperature: float, similarity: str, want_gradient: bool
) -> tuple[Tensor, Tensor] | None:
    """Return loss and gradient, or None where the fused path does not apply or is not exact enough.

    A pass in float32 comes first, unless it is known to be inexact. One in float64 follows where it may help. The
    choice depends on the batch alone, so that a resumed training gets the same bits. Targets that are not finite give
    None, too. The gradient has no meaning if none is wanted.
    """
    if not applies(z):
        return None
    cosine = similarity == "cosine"
    if cosine and not 2 / temperature <= _SPAN[torch.float64]:
        return None
    arguments = (z, group, temperature, similarity, want_gradient)
    if products_keep_float32(z.device) and not (cosine and max(cosine_errors(temperature)) > TOLERANCE):
        outcome = fused_pass(*arguments, torch.float32)
        if outcome.finite and (cosine or _is_exact(outcome, z.shape[1], temperature)):
            return outcome.loss, outcome.gradient
        if cosine or not _float64_may_help(outcome, temperature):
            return None
        del outcome  # its memory, before there is another
    if len(z) > LARGEST_DOUBLE_BATCH:
        return None
    outcome = fused_pass(*arguments, torch.float64)
    served = outcome.finite and _span(outcome, temperature) <= _SPAN[torch.float64]
    return (outcome.loss, outcome.gradient) if served else None


def _is_exact(outcome: Outcome, width: int, temperature: float) -> bool:
    """Return whether the distances of a pass in float32 were exact enough."""
    errors = distance_errors(outcome.nearest, outcome.longest, temperature)
    noise = is_noise(outcome.nearest**2, outcome.longest, width, torch.float32)
    return not noise and max(errors) <= TOLERANCE and _span(outcome, temperature) <= _SPAN[torch.float32]


def _float64_may_help(outcome: Outcome, temperature: float) -> bool:
    """Return whether the figures of a pass in float32 leave a chance that one in float64 is exact.

    They do not if the exponents are too large for float64, or if the loss is not finite for another reason than
    exponents too large for float32 or a square of a distance that rounding made negative: features that are not finite,
    or groups that cannot be ranked.
    """
    span = _span(outcome, temperature)
    explained = outcome.finite or outcome.nearest == 0 or span > _SPAN[torch.float32]
    return explained and span <= _SPAN[torch.float64]


def _span(outcome: Outcome, temperature: float) -> float:
    """Return by how much s differs off the diagonal."""
    return (outcome.farthest - outcome.nearest) / temperature


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
