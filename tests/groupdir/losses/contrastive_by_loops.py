"""L_grc by three plain loops in float64, and batches to compare it on."""

import itertools
from collections.abc import Callable

import torch
from torch import Tensor

from groupdir.losses import group_contrastive_loss


def similarity_of(a: Tensor, b: Tensor, similarity: str) -> Tensor:
    """By the definition; 0 for the direction of a zero vector, no slope between equal points."""
    if similarity != "negative_l2":
        a, b = (v / v.norm() if bool(v.any()) else 0 * v for v in (a, b))
    if similarity == "cosine":
        return a @ b
    return -(a - b).norm() if bool((a != b).any()) else 0 * (a - b).sum()


def loss_by_loops(z: Tensor, group: Tensor, temperature: float, similarity: str) -> Tensor:
    """Eq. 2 word by word."""
    batch = range(len(z))
    s = [[similarity_of(z[i], z[j], similarity) / temperature for j in batch] for i in batch]
    d = [[abs(gi - gj) for gj in group.tolist()] for gi in group.tolist()]
    terms = [
        torch.stack([s[i][k] for k in batch if k != i and d[i][k] >= d[i][j]]).logsumexp(0) - s[i][j]
        for i, j in itertools.permutations(batch, 2)
    ]
    return torch.stack(terms).mean()


def with_gradient(function: Callable[..., Tensor], z: Tensor, *args: object) -> tuple[Tensor, Tensor]:
    z = z.detach().clone().requires_grad_()
    value = function(z, *args)
    (gradient,) = torch.autograd.grad(value, z)
    return value.detach(), gradient


def assert_right(z: Tensor, group: Tensor, temperature: float, similarity: str, rtol: float) -> None:
    """Value and gradient against the loops on the same numbers in float64, relative to their size."""
    value, gradient = with_gradient(group_contrastive_loss, z, group, temperature, similarity)
    expected, slope = with_gradient(loss_by_loops, z.double(), group, temperature, similarity)
    assert value.dtype == (torch.float64 if z.dtype == torch.float64 else torch.float32)
    assert gradient.dtype == z.dtype
    assert abs(value.double() - expected) <= rtol * max(1.0, abs(expected))
    reach = 1 / temperature if similarity == "negative_l2" else 1 / temperature / z.double().norm(dim=1).max().item()
    assert (gradient.double() - slope).norm() <= rtol * max(slope.norm().item(), 0.01 * reach)


def batch_of(batch: int, features: int, seed: int, groups: int = 5) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    z = torch.randn(batch, features, dtype=torch.float64, generator=draw)
    return z, torch.randint(groups, (batch,), generator=draw)
