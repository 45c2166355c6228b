"""Group-aware contrastive loss L_grc (Pu et al. 2025, Eq. 2) and Rank-N-Contrast, in O(B^2) beside the similarities.

Every pair (i, j) has its own denominator: the sum of exp(s_ik) over all k at least as far from i as j is. Two facts
make that cheap. The B - 1 denominators of an anchor take only as many values as there are distinct groups. And with the
groups sorted by distance to the anchor, the denominators are the tails of one running sum. Let mass[i, h] be the sum of
exp(s_ik) over the members of group h and count[i, h] their number, both without i itself. Then

    den[i, h]    = sum of mass[i, h'] over groups h' with |h' - g_i| >= |h - g_i|
    weight[i, h] = sum of count[i, h'] / den[i, h'] over groups h' with |h' - g_i| <= |h - g_i|
    loss         = (sum_i sum_h count[i, h] log den[i, h] - sum_{i != j} s_ij) / (B (B - 1))
    dloss/ds_ij  = (exp(s_ij) weight[i, g_j] - 1) / (B (B - 1))

All sums are over positive terms, so nothing cancels. No scatter is used, so the result is deterministic. The gradient
has a closed form: it is computed together with the value, in the only B x B matrix, and `backward` only scales it.

On a CUDA card, `group_contrastive_cuda` computes the same sums in fused kernels, with the samples sorted by group
instead of a table of groups. Seen from anchor i, the distances then grow to both sides, so that

    {k: d_ik >= d_ij} = a prefix and a suffix of the batch,    den_ij    = prefix sum + suffix sum of exp(s_ik)
    {h: d_ih <= d_ij} = one window around i,                   weight_ij = sums of 1 / den_ih outward from i

Sample j bounds both sets on its own side of i, and the samples that mirror it at i bound them on the other side. That
holds for groups and raw targets alike. The kernels run in float32, and again in float64 where float32 is not exact
enough. The first batch of each kind is computed in both ways. The functions here serve what float64 cannot do without
logarithms, larger batches and all other devices.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from groupdir.losses.batch import spoiled
from groupdir.losses.directions import directions, products_keep_float32
from groupdir.losses.group_contrastive_cuda import fused_value_and_gradient
from groupdir.losses.group_contrastive_exactness import (
    EXPONENT_LIMIT,
    TOLERANCE,
    cosine_errors,
    distance_errors,
    is_noise,
    relative_noise,
)
from groupdir.losses.group_contrastive_levels import Groups
from groupdir.losses.group_contrastive_trust import Trust

Similarity = Literal["negative_l2", "cosine", "negative_unit_l2"]

_BLOCK_ELEMENTS, _BLOCK_ELEMENTS_GPU = 2**18, 2**24
"""Size of a block of anchors' rows: it stays in a core's cache, or is large enough to fill a GPU."""

_TRUST = Trust()
_FUSED: ContextVar[bool] = ContextVar("fused", default=True)


@contextmanager
def fused(enabled: bool) -> Iterator[None]:
    """Allow or forbid the fused GPU path of `group_contrastive_loss` inside a `with` block; it is allowed by default.

    Use it to compare both paths. The fused path stays unused where it does not apply, such as on a CPU.
    """
    token = _FUSED.set(enabled)
    try:
        yield
    finally:
        _FUSED.reset(token)


def group_contrastive_loss(
    z: Tensor, group: Tensor, temperature: float, similarity: Similarity = "negative_l2"
) -> Tensor:
    """Contrast every pair of a batch with all samples whose group is at least as far away.

    With s_ij = sim(z_i, z_j) / t, d_ij = |group_i - group_j| and K(i, j) = {k != i: d_ik >= d_ij}, the value is the
    mean over the B (B - 1) ordered pairs of log(sum over k in K(i, j) of exp(s_ik)) - s_ij. Members of the anchor's own
    group are partners j like any other sample. For two augmented views, concatenate them and repeat the groups.

    Time is O(B^2 D) for the similarities and O(B^2) for the rest (O(B^2 log B) with more than 256 distinct groups);
    memory is one B x B matrix. It runs in float32 with autocast switched off. It switches to float64
    where float32 would not give five digits: low temperatures, near duplicates among long features, TF32 products.

    Args:
        z: Features `(B, D)`, floating, of any norm. Half precision is raised to float32.
        group: `(B,)`. Integers are group indices: any values, gaps and negatives included; only their distances count.
            Floating values are raw targets, whose exact distances (no binning) make this Rank-N-Contrast.
        temperature: t > 0. Its range belongs to the similarity: 1..5 suits `negative_l2`, 0.05..1 the bounded two.
        similarity: `negative_l2` is -|z_i - z_j|, `cosine` is z_i.z_j / (|z_i||z_j|), `negative_unit_l2` is
            -|u_i - u_j| with u = z / |z|. A zero vector has u = 0 and gradient 0; equal vectors do not push each other.

    Returns:
        A scalar: float64 for float64 features, float32 otherwise. 0 with zero gradients for fewer than two samples.
        Differentiable once with respect to `z`.

    Raises:
        ValueError: On a wrong shape, type or device, a temperature that is not positive, an unknown similarity, targets
            that are not finite.

    Source: Pu et al. 2025, Eq. 2; Zha et al. 2023 (Rank-N-Contrast) where `group` holds the raw targets.

    Differences from the source: Eq. 2 is 0/0 for one sample, here 0. The authors' cosine option has the sign reversed;
    here similar pairs attract. Distances of raw targets are taken in float64, so that two of them are equal exactly
    when they are for the numbers given, not by the luck of float32 rounding.

    Example:
        >>> z = torch.tensor([[0.0], [1.0], [3.0]])
        >>> loss = group_contrastive_loss(z, torch.tensor([0, 1, 3]), temperature=1.0)
        >>> by_hand = (math.log(1 + math.exp(-2)) + 2 * math.log(1 + math.exp(-1))) / 6  # the other three pairs give 0
        >>> abs(loss.item() - by_hand) < 1e-6
        True
    """
    if z.dim() != 2 or not z.is_floating_point():
        raise ValueError(f"z must be a floating tensor of shape (B, D), got {z.dtype} of shape {tuple(z.shape)}")
    if group.shape != z.shape[:1] or group.is_complex() or group.device != z.device:
        raise ValueError(
            f"group must be a real tensor of shape ({len(z)},) on {z.device}, as z is, "
            f"got {group.dtype} of shape {tuple(group.shape)} on {group.device}"
        )
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be > 0 and finite, got {temperature}")
    if similarity not in get_args(Similarity):
        raise ValueError(f"similarity must be one of {', '.join(get_args(Similarity))}, got {similarity!r}")
    loss: Tensor = _GroupContrastive.apply(z, group, float(temperature), similarity)
    return loss


class _GroupContrastive(torch.autograd.Function):
    """Autograd function that computes value and gradient together; `backward` scales the stored (B, D) gradient."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, group: Tensor, temperature: float, similarity: Similarity) -> Tensor:
        dtype = torch.float64 if z.dtype == torch.float64 else torch.float32
        if len(z) < 2:
            loss, gradient = spoiled(z.new_zeros((), dtype=dtype), z), torch.zeros_like(z, dtype=dtype)
        else:
            arguments = (z, group, temperature, similarity, ctx.needs_input_grad[0])
            result = fused_value_and_gradient(*arguments) if _FUSED.get() and not _TRUST.lost else None
            if result is None:
                loss, gradient = _eager(*arguments)
            else:
                want_gradient = ctx.needs_input_grad[0]
                kind = (z.device, z.shape, z.dtype, group.dtype, similarity, want_gradient)
                loss, gradient = _TRUST.checked(kind, result, lambda: _eager(*arguments), want_gradient)
        ctx.dtype = z.dtype
        ctx.save_for_backward(gradient.to(dtype))
        return loss.to(dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return (gradient * grad_outputs[0]).to(ctx.dtype), None, None, None


def _eager(
    z: Tensor, group: Tensor, temperature: float, similarity: Similarity, want_gradient: bool
) -> tuple[Tensor, Tensor]:
    """Return loss and gradient by PyTorch's own operations, in whatever type and form is exact."""
    with torch.autocast(z.device.type, enabled=False):
        pairs = _pairs(z, temperature, similarity)
        return _value_and_gradient(pairs, Groups.of(group, pairs.matrix.dtype), want_gradient)


@dataclass(frozen=True)
class _Pairs:
    """Similarities of a batch, and what their gradient needs."""

    matrix: Tensor  # (B, B) distances or cosines, symmetric, diagonal 0; overwritten on the way to the gradient
    scale: float  # s = scale * matrix: -1/t for distances, 1/t for cosines
    low: float  # bounds of s off the diagonal
    high: float
    points: Tensor  # (B, D) features or directions, centred, in the type of the gradient's product
    direction: Tensor | None  # (B, D) u = z / |z| where the similarity normalises
    inverse_norm: Tensor | None  # (B, 1) 1 / |z|, 0 for a zero vector
    value_error: float  # what a float32 product costs: largest error of s, thus relative error of exp(s)
    slope_error: float  # largest relative error of x_i - x_j in the gradient's product


def _pairs(z: Tensor, temperature: float, similarity: Similarity) -> _Pairs:
    """Return similarities and the gradient's product, each in float32 where that is exact enough, else in float64.

    |x_i|^2 + |x_j|^2 - 2 x_i.x_j costs one matrix product, but its error is one of |x|^2: divided by 2 d t it is an
    error of s, divided by 2 d^2 one of x_i - x_j. The choice of the type needs three values on the host. On a GPU that
    is one wait; it saves float64 and logarithms for the batches that do not need them.
    """
    float32 = z.dtype != torch.float64 and products_keep_float32(z.device)
    if float32:
        pairs = _pairs_as_given(z.float(), temperature, similarity)
        if max(pairs.value_error, pairs.slope_error) <= TOLERANCE:
            return pairs
        del pairs  # the B x B matrix, before there is another
    pairs = _pairs_as_given(z.double(), temperature, similarity)
    if float32 and pairs.slope_error <= TOLERANCE:
        return replace(pairs, points=pairs.points.float())
    return pairs


def _pairs_as_given(z: Tensor, temperature: float, similarity: Similarity) -> _Pairs:
    """Return similarities in the type of `z`, by one matrix product."""
    direction = inverse_norm = None
    if similarity != "negative_l2":
        direction, inverse_norm = directions(z)
        z = direction
    points = z - z.mean(0)  # changes no distance, and a common offset then costs no digits
    if similarity == "cosine":
        bound = 1 / temperature
        matrix = (z @ z.T).fill_diagonal_(0)
        errors = cosine_errors(temperature)
        return _Pairs(matrix, bound, -bound, bound, points, direction, inverse_norm, *errors)
    matrix, nearest, farthest, longest = _distances(points, temperature)
    errors = distance_errors(nearest, longest, temperature)
    scale = -1 / temperature
    return _Pairs(matrix, scale, scale * farthest, scale * nearest, points, direction, inverse_norm, *errors)


def _distances(x: Tensor, temperature: float) -> tuple[Tensor, float, float, float]:
    """Return distances `(B, B)`, their least and largest value off the diagonal, and the largest norm.

    One matrix product gives them. In float64, rounding noise between equal rows is set to 0. In float32, the least
    distance is reported as 0 where it may be rounding noise. On a CPU the product is skipped if even evenly spread
    features would be too long for float32 (their least distance is at most 1.5 times the root mean square norm); on a
    GPU that check would cost more than the product.
    """
    eps = torch.finfo(x.dtype).eps
    norm = torch.linalg.vector_norm(x, dim=1)
    square = norm.square()
    if x.dtype == torch.float32 and x.device.type == "cpu":
        root_mean_square = square.mean().sqrt().item()
        if 2 * eps / 1.5 * root_mean_square / temperature > TOLERANCE:
            return x.new_empty(0, 0), 0.0, 0.0, 0.0
    matrix = (square[:, None] + square).addmm_(x, x.T, alpha=-2)
    nearest, farthest, longest = _extremes(matrix, norm)
    if is_noise(nearest, longest, x.shape[1], x.dtype):
        noise = relative_noise(x.shape[1], x.dtype)
        if x.dtype == torch.float32:
            return matrix, 0.0, 0.0, longest
        for rows in _blocks(matrix):
            matrix[rows].masked_fill_(matrix[rows] <= noise * (square[rows, None] + square), 0)
        nearest, farthest, longest = _extremes(matrix, norm)
    matrix.fill_diagonal_(0).sqrt_()
    return matrix, math.sqrt(nearest), math.sqrt(farthest), longest


def _extremes(matrix: Tensor, norm: Tensor) -> tuple[float, float, float]:
    """Return the least and largest value off the diagonal, which is overwritten, and the largest norm."""
    matrix.diagonal().copy_(matrix[0, 1].expand(len(matrix)))
    nearest, farthest, longest = torch.stack([*matrix.aminmax(), norm.amax()]).tolist()
    return nearest, farthest, longest


def _value_and_gradient(pairs: _Pairs, groups: Groups, want_gradient: bool) -> tuple[Tensor, Tensor]:
    """Return the loss and its gradient `(B, D)`, block by block of anchors, so that only `pairs.matrix` is B x B.

    exp(s) is kept for the gradient if the batch is one block. Otherwise it is computed again, which is cheaper than a
    second matrix.
    """
    matrix, batch = pairs.matrix, len(pairs.matrix)
    log = not pairs.high - pairs.low <= 2 * EXPONENT_LIMIT[matrix.dtype]  # true for NaN
    offset = 0.0 if log else -(pairs.high + pairs.low) / 2  # cancels in the loss
    blocks = _blocks(matrix)
    tables = groups.order(torch.arange(len(groups.value), device=matrix.device)) if groups.member is not None else None
    weight = matrix.new_empty(len(groups.value), batch)
    log_sum, terms = matrix.new_zeros((), dtype=torch.float64), matrix
    for rows in blocks:
        code = groups.code[rows]
        ranking, first, last = groups.order(code) if tables is None else [table[code] for table in tables]
        terms = _terms(pairs, rows, offset, log)
        mass = _mass(terms, groups, log)
        block_sum, block_weight = _denominators(mass, groups.others(rows, mass.dtype), ranking, first, last, log)
        weight[:, rows] = block_weight.T
        log_sum += block_sum
    n_pairs = batch * (batch - 1)
    loss = (log_sum - pairs.scale * matrix.sum(1).sum(dtype=torch.float64)) / n_pairs - offset
    if not want_gradient:
        return loss, torch.zeros_like(pairs.points)
    for rows in blocks:
        terms = terms if len(blocks) == 1 else _terms(pairs, rows, offset, log)
        _pull_into(matrix[rows], terms, weight, groups, rows, pairs, log)
    return loss, _gradient(pairs, n_pairs)


def _blocks(matrix: Tensor) -> list[slice]:
    """Return blocks of rows of a (B, B) matrix."""
    elements = _BLOCK_ELEMENTS if matrix.device.type == "cpu" else _BLOCK_ELEMENTS_GPU
    rows = max(1, elements // len(matrix))
    return [slice(start, min(start + rows, len(matrix))) for start in range(0, len(matrix), rows)]


def _terms(pairs: _Pairs, rows: slice, offset: float, log: bool) -> Tensor:
    """Return exp(s + offset) `(r, B)` of a block of anchors, 0 for the anchor itself; with `log`, s and -inf."""
    terms = pairs.matrix[rows] * pairs.scale
    if not log:
        terms.add_(offset).exp_()
    terms[:, rows].fill_diagonal_(-math.inf if log else 0)
    return terms


def _mass(terms: Tensor, groups: Groups, log: bool) -> Tensor:
    """Return the sum of each group's terms `(r, H)`; with `log` its logarithm, offset by the largest term."""
    if groups.member is None:
        return terms
    if not log:
        return (groups.member.T @ terms.T).T  # up to three times faster on a CPU than terms @ member
    parts = torch.split(terms[:, groups.code.argsort()], groups.count.tolist(), dim=1)
    largest = torch.stack([part.amax(1) for part in parts], dim=1)
    largest.clamp_(min=torch.finfo(terms.dtype).min)  # not -inf where a group is the anchor alone
    return ((terms - largest[:, groups.code]).exp_() @ groups.member).log_() + largest


def _denominators(
    mass: Tensor, others: Tensor, ranking: Tensor, first: Tensor, last: Tensor, log: bool
) -> tuple[Tensor, Tensor]:
    """Return the sum of count x log den over a block, and the weights `(r, H)`; with `log` their logarithms.

    In the order of distance, a denominator is a sum from the far end and a weight a sum from the near end.
    """
    scan = torch.logcumsumexp if log else torch.cumsum
    denominator = scan(mass.gather(1, ranking).flip(1), 1).flip(1).gather(1, first)
    share = others.log() - denominator if log else others / denominator
    weight = scan(share.gather(1, ranking), 1).gather(1, last)
    log_denominator = denominator if log else denominator.log()
    return (others * log_denominator).sum(dtype=torch.float64), weight


def _pull_into(
    out: Tensor, terms: Tensor, weight: Tensor, groups: Groups, rows: slice, pairs: _Pairs, log: bool
) -> None:
    """Replace a block of `pairs.matrix` by B (B - 1) (dloss/ds_ij + dloss/ds_ji), over d_ij where those are distances.

    `weight` is (H, B), anchors along the second axis.
    """
    if log:
        both = (terms + weight[:, rows].T[:, groups.code]).exp_() + (terms + weight[groups.code[rows]]).exp_()
    elif groups.member is None:
        both = (weight[rows] + weight[:, rows].T).mul_(terms)
    else:  # a sum of weight[g_i, j], whole rows, and weight[g_j, i], by the product that gathers columns fastest
        both = weight[groups.code[rows]].addmm_(weight[:, rows].T, groups.member.T).mul_(terms)
    if pairs.scale > 0:
        torch.sub(both, 2, out=out)
        return
    both.sub_(2)
    if pairs.high == 0:  # equal rows: |x_i - x_j| has no slope there, take 0
        both.masked_fill_(out == 0, 0)
        out.masked_fill_(out == 0, 1)
    torch.div(both, out, out=out)


def _gradient(pairs: _Pairs, n_pairs: int) -> Tensor:
    """Return the gradient `(B, D)` from the pulls in `pairs.matrix`: row i is the sum over j of pull_ij (x_j - x_i).

    For cosines, -x_i may be added freely, because the projection removes everything along u_i, and it keeps precision.
    """
    matrix = pairs.matrix.fill_diagonal_(0)
    matrix.diagonal().copy_(-matrix.sum(1))
    gradient = (matrix.to(pairs.points.dtype) @ pairs.points).mul_(abs(pairs.scale) / n_pairs)
    if pairs.direction is None or pairs.inverse_norm is None:
        return gradient
    along = (pairs.direction * gradient).sum(1, keepdim=True)
    return (gradient - pairs.direction * along).mul_(pairs.inverse_norm)
