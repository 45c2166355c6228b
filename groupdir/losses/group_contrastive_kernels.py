"""Triton kernels of the fused group-aware contrastive loss up to its pulls; only a batch on a CUDA card loads them.

Every kernel works on a batch that is sorted by group. Its numbers have the type of the memory that it is given: float32
or float64. No kernel uses atomics, so results are deterministic. `group_contrastive_pass` says in which order the
kernels run and `group_contrastive` holds the mathematics.
"""
# Triton reads these functions as its own language, so only constants have types that Python knows.
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def prepare(
    z,
    group,
    value,
    index,
    center,
    batch,
    features,
    NORMALISE: tl.constexpr,
    ANCHORS: tl.constexpr,
    OTHERS: tl.constexpr,
    TABLE: tl.constexpr,
    SAMPLE: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Rank the samples by group and estimate the mean point.

    The first programs write three rows of B entries to `index`: the order, and for each sorted sample the first
    position of its group and the position after its last. They write the sorted groups to `value`, too. The next
    programs append TABLE counts of smaller integer groups to `index`. The other programs write `center` (D,), the mean
    of a few samples spread over the batch: any point among the samples serves.
    """
    program = tl.program_id(0)
    ranking = tl.cdiv(batch, ANCHORS)
    counting = ranking + TABLE // ANCHORS
    if program < ranking:
        _rank(group, value, index, batch, program * ANCHORS, ANCHORS, OTHERS)
    elif program < counting:
        _count(group, index + 3 * batch, batch, (program - ranking) * ANCHORS, ANCHORS, OTHERS)
    else:
        _center(z, center, batch, features, (program - counting) * COLUMNS, NORMALISE, SAMPLE, COLUMNS)


@triton.jit
def _rank(group, value, index, batch, start, ANCHORS: tl.constexpr, OTHERS: tl.constexpr):
    """Count the samples before each anchor; equal groups keep the order of the batch.

    Groups that the fused path cannot rank exactly become -1 (integers over 2^30 apart) or infinite (NaN).
    """
    anchor = start + tl.arange(0, ANCHORS)
    inside = anchor < batch
    mine = _wide(tl.load(group + anchor, mask=inside, other=0))
    less = tl.zeros([ANCHORS], tl.int32)
    equal = tl.zeros([ANCHORS], tl.int32)
    earlier = tl.zeros([ANCHORS], tl.int32)
    lowest = mine
    for first in range(0, batch, OTHERS):
        other = first + tl.arange(0, OTHERS)
        valid = (other < batch)[None, :]
        theirs = _wide(tl.load(group + other, mask=other < batch, other=0))[None, :]
        same = (theirs == mine[:, None]) & valid
        less += tl.sum(((theirs < mine[:, None]) & valid).to(tl.int32), 1)
        equal += tl.sum(same.to(tl.int32), 1)
        earlier += tl.sum((same & (other[None, :] < anchor[:, None])).to(tl.int32), 1)
        lowest = tl.minimum(lowest, tl.min(tl.where(valid, theirs, mine[:, None]), 1))
    rank = less + earlier
    if mine.dtype == tl.int64:
        span = mine - lowest
        mine = tl.where((span < 0) | (span > 1073741824), -1, span).to(tl.int32)
    tl.store(value + rank, mine, mask=inside)
    tl.store(index + rank, anchor, mask=inside)
    tl.store(index + batch + rank, less, mask=inside)
    tl.store(index + 2 * batch + rank, less + equal, mask=inside)


@triton.jit
def _count(group, table, batch, start, ANCHORS: tl.constexpr, OTHERS: tl.constexpr):
    """Count the samples whose group lies less than `start`, `start` + 1, ... above the lowest group."""
    step = start + tl.arange(0, ANCHORS)
    other = tl.arange(0, OTHERS)
    smallest = _wide(tl.load(group + tl.where(other < batch, other, 0)))
    for first in range(OTHERS, batch, OTHERS):
        other = first + tl.arange(0, OTHERS)
        smallest = tl.minimum(smallest, _wide(tl.load(group + tl.where(other < batch, other, 0))))
    lowest = tl.min(smallest, 0)
    less = tl.zeros([ANCHORS], tl.int32)
    for first in range(0, batch, OTHERS):
        other = first + tl.arange(0, OTHERS)
        span = _wide(tl.load(group + other, mask=other < batch, other=0)) - lowest
        below = (span[None, :] < step[:, None]) & (other < batch)[None, :]
        less += tl.sum(below.to(tl.int32), 1)
    tl.store(table + step, less)


@triton.jit
def _wide(group):
    """Return groups as int64 or float64, NaN as infinity."""
    if group.dtype.is_floating():
        wide = group.to(tl.float64)
        wide = tl.where(wide == wide, wide, float("inf"))
    else:
        wide = group.to(tl.int64)
    return wide


@triton.jit
def _center(z, center, batch, features, start, NORMALISE: tl.constexpr, SAMPLE: tl.constexpr, COLUMNS: tl.constexpr):
    """Average some columns of SAMPLE rows; with NORMALISE of their directions."""
    real: tl.constexpr = center.dtype.element_ty
    row = (tl.arange(0, SAMPLE) * batch // SAMPLE * features)[:, None]
    factor = tl.full([SAMPLE], 1.0, real)
    unit = tl.full([SAMPLE], 1.0, real)
    if NORMALISE:
        peak = tl.zeros([SAMPLE], real)
        square = tl.zeros([SAMPLE], real)
        for first in range(0, features, COLUMNS):
            column = (first + tl.arange(0, COLUMNS))[None, :]
            part = tl.load(z + row + column, mask=column < features, other=0).to(real)
            peak = tl.maximum(peak, tl.max(tl.abs(part), 1))
        unit = _divisor(peak)
        for first in range(0, features, COLUMNS):
            column = (first + tl.arange(0, COLUMNS))[None, :]
            part = tl.load(z + row + column, mask=column < features, other=0).to(real) / unit[:, None]
            square += tl.sum(part * part, 1)
        factor = tl.sqrt(tl.where(square == 0, 1, square))
    column = start + tl.arange(0, COLUMNS)
    part = tl.load(z + row + column[None, :], mask=column[None, :] < features, other=0).to(real)
    mean = tl.sum(part / unit[:, None] / (factor * SAMPLE)[:, None], 0)
    tl.store(center + column, mean, mask=column < features)


@triton.jit
def _divisor(peak):
    """Return the largest coordinate of a vector, infinity where it is 0 or has no normal inverse."""
    if peak.dtype == tl.float64:
        divisor = tl.where(peak < 2.2250738585072014e-308, float("inf"), peak)
    else:
        divisor = tl.where(peak < 1.1754943508222875e-38, float("inf"), peak)
    return divisor


@triton.jit
def gather(
    z,
    index,
    center,
    points,
    direction,
    row_values,
    batch,
    features,
    NORMALISE: tl.constexpr,
    COSINE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Write a centred sample, or its centred direction, to its sorted place in `points`; one program a sample.

    Row 0 of `row_values` receives its squared length and row 1 the inverse length of the sample, 0 for a zero vector.
    """
    place = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    inside = column < features
    x = tl.load(z + tl.load(index + place) * features + column, mask=inside, other=0).to(points.dtype.element_ty)
    if NORMALISE:
        peak = _divisor(tl.max(tl.abs(x), 0))
        x = x / peak
        square = tl.sum(x * x, 0)
        norm = tl.sqrt(tl.where(square == 0, 1, square))
        x = x / norm
        tl.store(row_values + batch + place, 1 / (norm * peak))
        if COSINE:
            tl.store(direction + place * features + column, x, mask=inside)
    x = tl.where(inside, x - tl.load(center + column, mask=inside, other=0), 0)
    tl.store(points + place * features + column, x, mask=inside)
    tl.store(row_values + place, tl.sum(x * x, 0))


@triton.jit
def anchors(
    matrix,
    value,
    index,
    row_values,
    batch,
    inverse,
    remainder,
    noise,
    COSINE: tl.constexpr,
    TABLE: tl.constexpr,
    STEPS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Replace a row of products by the pulls of that anchor, over distances where the similarity has them.

    1/t is `inverse` + `remainder`, because Triton passes numbers in float32. In float64, a squared distance of at most
    `noise` times the squares it came from is 0; such a pair has no pull.

    Rows 2, 3 and 4 of `row_values` receive the anchor's share of the loss (NaN if its groups cannot be ranked exactly)
    and the least and largest squared distance.
    """
    anchor = tl.program_id(0)
    j = tl.arange(0, BLOCK)
    inside = j < batch
    pair = inside & (j != anchor)
    product = tl.load(matrix + anchor * batch + j, mask=inside, other=0)
    double: tl.constexpr = product.dtype == tl.float64
    inverse_temperature = tl.full([1], inverse, product.dtype) + tl.full([1], remainder, product.dtype)
    distance = product
    s = product * inverse_temperature
    if not COSINE:
        squares = tl.load(row_values + anchor) + tl.load(row_values + j, mask=inside, other=0)
        square = squares - 2 * product
        if double:
            square = tl.where(square <= noise * squares, 0, square)
        nearest = tl.min(tl.where(pair, square, float("inf")), 0)
        farthest = tl.max(tl.where(pair, square, float("-inf")), 0)
        tl.store(row_values + 3 * batch + anchor, nearest)
        tl.store(row_values + 4 * batch + anchor, farthest)
        distance = tl.sqrt(tl.where(pair, square, 1))
        middle = (tl.sqrt(tl.maximum(nearest, 0)) + tl.sqrt(tl.maximum(farthest, 0))) / 2
        s = (middle - distance) * inverse_temperature  # the row's offset centres the exponents
    e = tl.where(pair, tl.exp(s), 0)

    prefix, suffix, low, high, exact = _bounds(value, index, anchor, j, inside, batch, TABLE, STEPS)
    ahead = tl.gather(tl.cumsum(e, 0), tl.maximum(prefix - 1, 0), 0)
    behind = tl.gather(tl.cumsum(e, 0, reverse=True), tl.minimum(suffix, BLOCK - 1), 0)
    denominator = tl.where(prefix > 0, ahead, 0) + tl.where(suffix < batch, behind, 0)
    denominator = tl.where(pair, denominator, 1)
    loss = tl.sum(tl.where(pair, tl.log(denominator) - s, 0), 0)
    tl.store(row_values + 2 * batch + anchor, tl.where(exact, loss, float("nan")))

    share = 1 / denominator
    left = tl.cumsum(tl.where(j < anchor, share, 0), 0, reverse=True)
    right = tl.cumsum(tl.where(pair & (j > anchor), share, 0), 0)
    weight = tl.gather(left, low, 0) + tl.gather(right, high - 1, 0)
    pull = e * weight - 1
    if not COSINE:
        if double:
            pull = tl.where(distance > 0, pull, 0)
            distance = tl.where(distance > 0, distance, 1)
        pull = pull / distance
    tl.debug_barrier()  # every thread has read its part of the row
    tl.store(matrix + anchor * batch + j, tl.where(pair, pull, 0), mask=inside)


@triton.jit
def _bounds(value, index, anchor, j, inside, batch, TABLE: tl.constexpr, STEPS: tl.constexpr):
    """Return where the samples at least as far from the anchor as sample j end and begin, and those at most as far.

    At least as far are [0, prefix) and [suffix, batch); at most as far is [low, high), which holds the anchor. The
    group of j gives the bounds on its own side. The samples that mirror j at the anchor give those on the other side.
    The last value is False where rounding made distances of different groups equal, or a group has no exact value.
    """
    mine = tl.load(value + anchor)
    start = tl.load(index + batch + anchor)
    end = tl.load(index + 2 * batch + anchor)
    first = tl.load(index + batch + j, mask=inside, other=0)
    after = tl.load(index + 2 * batch + j, mask=inside, other=0)
    theirs = tl.load(value + j, mask=inside, other=0)
    right = inside & (j >= end)
    left = inside & (j < start)

    if mine.dtype == tl.int32:
        exact = mine >= 0
        if tl.load(value + batch - 1) < TABLE - 1:
            mirror = 2 * mine - theirs
            mirror_first = tl.load(index + 3 * batch + tl.minimum(tl.maximum(mirror, 0), TABLE - 1))
            mirror_after = tl.load(index + 3 * batch + tl.minimum(tl.maximum(mirror + 1, 0), TABLE - 1))
        else:
            mirror_first, mirror_after = _search(value, index, mine, theirs, left, right, start, end, batch, STEPS)
    else:
        before = tl.load(value + j - 1, mask=inside & (j > 0), other=float("nan"))
        merged = inside & (before < theirs) & (tl.abs(before - mine) == tl.abs(theirs - mine))
        exact = (tl.sum(merged.to(tl.int32), 0) == 0) & (tl.abs(mine) < float("inf"))
        mirror_first, mirror_after = _search(value, index, mine, theirs, left, right, start, end, batch, STEPS)

    prefix = tl.where(right, mirror_after, tl.where(left, after, start))
    suffix = tl.where(left, mirror_first, tl.where(right, first, start))
    low = tl.where(right, mirror_first, tl.where(left, first, start))
    high = tl.where(left, mirror_after, tl.where(right, after, end))
    return prefix, suffix, tl.where(inside, low, 0), tl.where(inside, high, 1), exact


@triton.jit
def _search(value, index, mine, theirs, left, right, start, end, batch, STEPS: tl.constexpr):
    """Return where the samples that mirror sample j at the anchor begin and end, by a binary search over distances.

    Without such a sample both are the place where one would be. Distances, and not mirrored groups, are compared, so
    that equal distances tie however they were rounded.
    """
    gap = tl.abs(theirs - mine)
    base = tl.where(left, end, 0)
    size = tl.where(left, batch - end, tl.where(right, start, 0))
    passed = tl.zeros_like(size)  # samples from `base` on before the edge: the far ones right of it, else the near ones
    for step in tl.static_range(STEPS):
        more = passed + (1 << (STEPS - 1 - step))
        valid = more <= size
        far = tl.abs(tl.load(value + (base + more - 1), mask=valid, other=0) - mine) >= gap
        passed = tl.where(valid & (far == right), more, passed)
    edge = base + passed
    neighbour = tl.where(right, edge - 1, edge)
    valid = (right & (passed > 0)) | (left & (passed < size))
    tie = valid & (tl.abs(tl.load(value + neighbour, mask=valid, other=0) - mine) == gap)
    across = tl.load(index + tl.where(right, batch, 2 * batch) + neighbour, mask=tie, other=0)
    across = tl.where(tie, across, edge)
    return tl.where(right, across, edge), tl.where(right, edge, across)
