"""Choice of the fused group-aware contrastive loss: which batches on a CUDA card it serves, and in which type.

The kernels run optimistically in float32 and also measure how exact that was. If it was not exact enough, the result is
dropped. `group_contrastive` holds the mathematics and the operations that then serve, `group_contrastive_pass` the
order of the kernels.
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
from groupdir.losses.group_contrastive_exactness import cosine_errors, distance_errors, exact_in_float32, is_noise
from groupdir.losses.group_contrastive_pass import Outcome, fused_pass

DEVICE = "cuda"
"""Type of the devices on which the kernels run; a test replaces it, because Triton's interpreter runs on a CPU."""

SMALLEST_BATCH = 3
"""The gradient of two samples is 0. The fused path would return its rounding error, and the other path returns 0."""

LARGEST_BATCH, LARGEST_WIDTH = 8_192, 8_192
"""Sizes up to which one program holds a row of the B x B matrix, or one sample."""

_FEATURE_TYPES = {torch.float32, torch.float16, torch.bfloat16}


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
    if outcome.finite and (cosine or _is_exact(outcome, z.shape[1], temperature)):
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
