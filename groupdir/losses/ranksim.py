"""RankSim: a sample's neighbours should have the same order by features as by targets."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from groupdir.losses.batch import calculated, check_features, check_targets, spoiled
from groupdir.losses.directions import cosine_matrix


def ranksim_loss(
    z: Tensor,
    y: Tensor,
    *,
    interpolation: float = 2.0,
    generator: torch.Generator | None = None,
    as_published: bool = False,
) -> Tensor:
    """Compare, for each sample, the ranks of all samples by cosine of features and by distance of targets.

    One sample of each distinct target is picked at random, M in all. With rk(v) the descending ranks 1..M of a vector,
    over M, and S the cosines of the M features, the value is sum_i mean_j (rk(S_i)_j - rk(-|y_i - y|)_j)^2. Ranks are
    step functions, so the gradient is that of their piecewise linear interpolation: (rk(s + lambda g) - rk(s)) /
    (lambda + 1e-8), where g is the incoming gradient at the ranks. It therefore depends on the factor of the loss.

    Among equal values, the one with the larger target ranks first, so the result does not depend on the batch order.

    Args:
        z: Features `(B, D)`, floating, of any norm. A zero vector has cosine 0 with all and gradient 0.
        y: Targets `(B,)`, in any units: only the order of their distances counts. Distances are taken in float64.
        interpolation: lambda > 0. A larger value looks further for a change of order.
        generator: Source of the random picks; torch's global one if None. Not used if all targets are distinct.
        as_published: Sort unstably, and keep the batch order if all targets are distinct.

    Returns:
        A scalar, float64 for float64 features and float32 otherwise; 0 for fewer than two distinct targets.
        Differentiable once with respect to `z`, in the sense above.

    Raises:
        ValueError: On wrong shapes or types, an interpolation that is not positive.

    Source: Gong et al. 2022 (RankSim); Vlastelica et al. 2020 (the gradient).

    Differences from the source: the published code for pictures sorts unstably, so the order of ties (frequent for
    whole-numbered targets) depends on the device. The one for text sorts stably, with the later sample first.

    Example:
        >>> z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1]])
        >>> ranksim_loss(z, torch.tensor([0.0, 1.0, 3.0]))  # every row has two of its ranks wrong by 1/3
        tensor(0.2222)
    """
    check_features(z)
    check_targets(y, len(z))
    if not 0 < interpolation < math.inf:
        raise ValueError(f"interpolation must be > 0 and finite, got {interpolation}")
    chosen = _one_of_each(y, generator, keep_order=as_published)
    features, target = calculated(z[chosen]), y[chosen].double()
    if len(chosen) < 2:
        return spoiled(features.sum() * 0, z)
    with torch.autocast(z.device.type, enabled=False):
        by_feature: Tensor = _Ranks.apply(cosine_matrix(features), float(interpolation), not as_published)
        by_target = _ranks(-(target[:, None] - target).abs(), not as_published).to(features.dtype) / len(target)
        return spoiled((by_feature - by_target).square().mean(1).sum(), z)


class _Ranks(torch.autograd.Function):
    """Descending ranks of each row, over its length, with an interpolated gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, interpolation: float, stable: bool) -> Tensor:
        rank = _ranks(values, stable)
        ctx.save_for_backward(values, rank)
        ctx.interpolation, ctx.stable = interpolation, stable
        return rank.to(values.dtype) / values.shape[1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        values, rank = ctx.saved_tensors
        moved = _ranks(values + ctx.interpolation * grad_outputs[0], ctx.stable)
        step = (moved - rank).to(values.dtype) / values.shape[1]
        return step / (ctx.interpolation + 1e-8), None, None


def _ranks(values: Tensor, stable: bool) -> Tensor:
    """Return descending ranks `(R, M)` from 1, int64. In a stable sort the last of equal values comes first."""
    order = values.argsort(dim=1, stable=stable).flip(1)
    position = torch.arange(1, values.shape[1] + 1, device=values.device).expand_as(order)
    return torch.empty_like(order).scatter_(1, order, position)


def _one_of_each(y: Tensor, generator: torch.Generator | None, keep_order: bool) -> Tensor:
    """Return the indices of one random sample per distinct target, by ascending target."""
    value, code = torch.unique(y, return_inverse=True)
    if len(value) == len(y):
        return torch.arange(len(y), device=y.device) if keep_order else code.argsort()
    draw = torch.rand(len(y), generator=generator, device="cpu" if generator is None else generator.device)
    order = draw.to(y.device).argsort()
    order = order[code[order].argsort(stable=True)]  # by target, and within one in random order
    return order[torch.searchsorted(code[order], torch.arange(len(value), device=y.device))]
