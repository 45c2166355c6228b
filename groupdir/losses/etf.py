"""Induced neural collapse: a fixed classifier whose directions form a simplex, and a loss that pulls towards them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from groupdir.labels import check_group
from groupdir.losses.batch import batch_mean, calculated, check_features


def simplex_etf(dim: int, groups: int, *, generator: torch.Generator | None = None) -> Tensor:
    """Return an equiangular tight frame: G unit vectors of which any two have the cosine -1 / (G - 1).

    sqrt(G / (G - 1)) P (I - 1 1^T / G), with P `(D, G)` a random matrix of orthonormal columns.

    Args:
        dim: Features D, at least `groups`.
        groups: G, at least 2.
        generator: Source of P; torch's own if None.

    Returns:
        `(D, G)`, float64: one column per group. Cast it when registering it as a buffer.

    Raises:
        ValueError: On fewer than 2 groups, or fewer features than groups.

    Source: Yang et al. 2022 (an ETF classifier), Eq. 1; P by QR of uniform noise, as their code.

    Example:
        >>> etf = simplex_etf(5, 3)
        >>> (etf.T @ etf).round(decimals=4)
        tensor([[ 1.0000, -0.5000, -0.5000],
                [-0.5000,  1.0000, -0.5000],
                [-0.5000, -0.5000,  1.0000]], dtype=torch.float64)
    """
    if groups < 2:
        raise ValueError(f"groups must be >= 2, got {groups}")
    if dim < groups:
        raise ValueError(f"dim must be >= groups={groups} for orthonormal columns, got {dim}; use fewer groups")
    device = "cpu" if generator is None else generator.device
    noise = torch.rand(dim, groups, generator=generator, dtype=torch.float64, device=device)
    orthonormal = torch.linalg.qr(noise).Q
    etf: Tensor = math.sqrt(groups / (groups - 1)) * (orthonormal - orthonormal.mean(1, keepdim=True))
    return etf


def etf_dot_regression_loss(z: Tensor, group: Tensor, etf: Tensor, length_penalty: float = 0.0) -> Tensor:
    """Return half the mean of (z . m - |m| |z|)^2 / |z| plus a penalty of |z|, with m the vector of the sample's group.

    |z| is a constant in the first term, which therefore only turns features. It pulls a feature towards its own group
    and pushes it away from none.

    Args:
        z: Features `(B, D)`, floating, as they enter the classifier; published: after a batch norm, at unit length.
        group: Groups `(B,)`, whole numbers in [0, G).
        etf: `(D, G)`, floating, of any lengths: `simplex_etf`, optionally times `etf_lengths`.
        length_penalty: >= 0, times the mean |z|; for features that are not at unit length. Published 0.01 there.

    Returns:
        A scalar, float64 for float64 features and float32 otherwise. A zero vector adds 0.

    Raises:
        ValueError: On wrong shapes or types, groups out of range, a negative penalty.

    Source: Yang et al. 2022, dot-regression loss, and its code.

    Example:
        >>> etf = torch.tensor([[1.0, -1.0], [0.0, 0.0]])
        >>> etf_dot_regression_loss(torch.tensor([[1.0, 0.0], [3.0, 4.0]]), torch.tensor([0, 1]), etf)  # (3 + 5)^2 / 5
        tensor(3.2000)
    """
    check_features(z)
    if etf.dim() != 2 or etf.shape[0] != z.shape[1] or not etf.is_floating_point():
        raise ValueError(
            f"etf must be a floating tensor of shape ({z.shape[1]}, G), got {etf.dtype} of shape {tuple(etf.shape)}"
        )
    check_group(group, etf.shape[1])
    if len(group) != len(z):
        raise ValueError(f"group must have shape ({len(z)},), one for each row of z, got ({len(group)},)")
    if not 0 <= length_penalty < math.inf:
        raise ValueError(f"length_penalty must be >= 0 and finite, got {length_penalty}")
    z = calculated(z)
    with torch.autocast(z.device.type, enabled=False):
        target = etf.detach().to(z.dtype).T[group.long()]
        length = torch.linalg.vector_norm(z, dim=1)
        constant = length.detach()
        gap = (z * target).sum(1) - torch.linalg.vector_norm(target, dim=1) * constant
        relative = gap / torch.where(constant == 0, 1, constant)  # not the square first: it could overflow
        loss = batch_mean(relative * gap) / 2
        return loss + length_penalty * batch_mean(length) if length_penalty else loss


def etf_lengths(group: Tensor, groups: int) -> Tensor:
    """Return lengths `(G,)`, float32, for a batch: sqrt((B / distinct groups) / members), 1 for absent groups.

    Multiply the columns of an ETF by them to pull features of rare groups towards longer vectors.

    Raises:
        ValueError: On wrong groups.

    Source: Yang et al. 2022, the code.

    Example:
        >>> etf_lengths(torch.tensor([0, 0, 0, 0, 2, 2]), 3)  # sqrt(3 / 4), 1, sqrt(3 / 2)
        tensor([0.8660, 1.0000, 1.2247])
    """
    check_group(group, groups)
    count = torch.bincount(group.long(), minlength=groups)
    even = len(group) / (count > 0).sum()
    return torch.where(count > 0, (even / count).sqrt(), 1.0).float()
