"""Rule that decides whether float32 is exact enough for a batch of the group-aware contrastive loss."""

from __future__ import annotations

import math

import torch

TOLERANCE = 2e-5
"""Largest estimated relative error for which float32 is used. The gradient's error is then below 1e-5 (measured)."""

EXPONENT_LIMIT = {torch.float32: 75.0, torch.float64: 650.0}
"""|exponent| up to which exp, its sums over a batch and their reciprocals are normal numbers of that type."""


def cosine_errors(temperature: float) -> tuple[float, float]:
    """Return the largest error of a float32 s = cosine / t, and the largest relative error of u_i - u_j."""
    double_eps = 2 * torch.finfo(torch.float32).eps
    return double_eps / temperature, double_eps


def distance_errors(nearest: float, longest: float, temperature: float) -> tuple[float, float]:
    """Return the largest error of a float32 s = -distance / t, and the largest relative error of x_i - x_j.

    The error of |x_i|^2 + |x_j|^2 - 2 x_i.x_j is one of the largest |x|^2: divided by 2 d t it is an error of s,
    divided by 2 d^2 one of x_i - x_j. Both are largest at the least distance d.
    """
    if not nearest > 0:
        return math.inf, math.inf
    error = 2 * torch.finfo(torch.float32).eps * longest * (longest / nearest)
    return error / temperature, error / nearest


def relative_noise(width: int, dtype: torch.dtype) -> float:
    """Bound the rounding error of a squared distance, relative to the squares; half was seen at D = 2048."""
    return torch.finfo(dtype).eps * (16 + math.sqrt(width))


def is_noise(square: float, longest: float, width: int, dtype: torch.dtype) -> bool:
    """Return whether a squared distance may be rounding noise; True for NaN."""
    info = torch.finfo(dtype)
    return not square > max(2 * relative_noise(width, dtype) * longest * longest, info.tiny / info.eps)
