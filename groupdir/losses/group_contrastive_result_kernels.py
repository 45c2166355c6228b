"""Triton kernels that make loss and gradient of the fused group-aware contrastive loss from its pulls.

What `group_contrastive_kernels` says of its kernels holds for these, too.
"""
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls, allow-untyped-decorators

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def symmetrise(matrix, row_values, sums, loss, extremes, batch, COSINE: tl.constexpr, TILE: tl.constexpr):
    """Add the transpose to the pulls in place, with the sums of each tile's rows; program 0 sums up the loss.

    `sums` (B, tiles) receives the sums. `extremes` receives the loss once more and the squares of the least and the
    largest distance and of the largest length.
    """
    program = tl.program_id(0)
    if program == 0:
        _summarise(row_values, loss, extremes, batch, COSINE, TILE * TILE)
    else:
        tiles = tl.cdiv(batch, TILE)
        upper = (program - 1) // tiles
        left = (program - 1) % tiles
        if upper <= left:
            row = upper * TILE + tl.arange(0, TILE)
            column = left * TILE + tl.arange(0, TILE)
            here = matrix + row[:, None] * batch + column[None, :]
            there = matrix + column[:, None] * batch + row[None, :]
            mask_here = (row < batch)[:, None] & (column < batch)[None, :]
            mask_there = (column < batch)[:, None] & (row < batch)[None, :]
            both = tl.load(here, mask=mask_here, other=0) + tl.trans(tl.load(there, mask=mask_there, other=0))
            tl.debug_barrier()  # on the diagonal both tiles are one
            tl.store(here, both, mask=mask_here)
            tl.store(sums + row * tiles + left, tl.sum(both, 1), mask=row < batch)
            if upper < left:
                tl.store(there, tl.trans(both), mask=mask_there)
                tl.store(sums + column * tiles + upper, tl.sum(both, 0), mask=column < batch)


@triton.jit
def _summarise(row_values, loss, extremes, batch, COSINE: tl.constexpr, ROWS: tl.constexpr):
    """Write the mean over the pairs, and the extremes over the anchors."""
    total = tl.zeros([ROWS], tl.float64)
    real: tl.constexpr = row_values.dtype.element_ty
    nearest = tl.full([ROWS], float("inf"), real)
    farthest = tl.full([ROWS], float("-inf"), real)
    longest = tl.zeros([ROWS], real)
    for first in range(0, batch, ROWS):
        row = first + tl.arange(0, ROWS)
        inside = row < batch
        total += tl.load(row_values + 2 * batch + row, mask=inside, other=0).to(tl.float64)
        if not COSINE:
            longest = tl.maximum(longest, tl.load(row_values + row, mask=inside, other=0))
            nearest = tl.minimum(nearest, tl.load(row_values + 3 * batch + row, mask=inside, other=float("inf")))
            farthest = tl.maximum(farthest, tl.load(row_values + 4 * batch + row, mask=inside, other=float("-inf")))
    mean = (tl.sum(total, 0) / (batch.to(tl.float64) * (batch - 1).to(tl.float64))).to(tl.float32)
    tl.store(loss, mean)
    tl.store(extremes, mean)
    if not COSINE:
        tl.store(extremes + 1, tl.min(nearest, 0))
        tl.store(extremes + 2, tl.max(farthest, 0))
        tl.store(extremes + 3, tl.max(longest, 0))


@triton.jit
def scatter(
    product,
    points,
    center,
    row_values,
    sums,
    index,
    gradient,
    batch,
    features,
    scale,
    NORMALISE: tl.constexpr,
    TILE: tl.constexpr,
    TILES: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Write a sample's gradient to its place in the batch: the scaled sum over j of pull_ij (x_j - x_i)."""
    place = tl.program_id(0)
    tiles = tl.cdiv(batch, TILE)
    tile = tl.arange(0, TILES)
    pulls = tl.sum(tl.load(sums + place * tiles + tile, mask=tile < tiles, other=0), 0)
    column = tl.arange(0, BLOCK)
    inside = column < features
    x = tl.load(points + place * features + column, mask=inside, other=0)
    slope = (tl.load(product + place * features + column, mask=inside, other=0) - pulls * x) * scale
    if NORMALISE:
        u = x + tl.load(center + column, mask=inside, other=0)
        slope = (slope - u * tl.sum(u * slope, 0)) * tl.load(row_values + batch + place)
    tl.store(gradient + tl.load(index + place) * features + column, slope, mask=inside)
