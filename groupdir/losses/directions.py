"""Directions of features and their cosines, safe for very long, very short and zero vectors."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def directions(z: Tensor) -> tuple[Tensor, Tensor]:
    """Return directions u = z / |z| `(B, D)` and 1 / |z| `(B, 1)`, both 0 for zero vectors, without overflow.

    The directions are differentiable, with gradient 0 at a zero vector; the inverse norms are constants.

    Example:
        >>> directions(torch.tensor([[3e30, 4e30], [0.0, 0.0]]))[0]
        tensor([[0.6000, 0.8000],
                [0.0000, 0.0000]])
    """
    peak = z.detach().abs().amax(1, keepdim=True)  # a constant: u does not depend on it
    peak = torch.where(peak < torch.finfo(z.dtype).tiny, math.inf, peak)
    shape = z / peak
    norm = torch.linalg.vector_norm(shape, dim=1, keepdim=True)
    norm = torch.where(norm == 0, 1, norm)
    return shape / norm, 1 / (norm.detach() * peak)


def products_keep_float32(device: torch.device) -> bool:
    """Return False if the user lets matrix products run in TF32 or bfloat16, whose error 1/t would magnify."""
    backend = torch.backends.cuda if device.type == "cuda" else torch.backends.mkldnn
    return backend.matmul.fp32_precision in ("none", "ieee")


def cosine_matrix(z: Tensor) -> Tensor:
    """Return the cosines `(B, B)` between the rows of `z`, in its type. A zero vector has cosine 0 even with itself.

    The caller switches autocast off. Products that would run in TF32 or bfloat16 are computed in float64.
    """
    unit, _ = directions(z)
    if z.dtype != torch.float64 and not products_keep_float32(z.device):
        wide = unit.double()
        return (wide @ wide.T).to(z.dtype)
    return unit @ unit.T
