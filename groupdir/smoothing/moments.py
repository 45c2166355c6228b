"""Moments of the features in each bucket, and their smoothing by a kernel over buckets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

_CHUNK = 4096
"""Number of rows that are converted to float64 at a time."""


@dataclass(frozen=True)
class Moments:
    """Moments of the features of K buckets, float64, which can be merged from parts.

    Attributes:
        count: `(K,)` samples.
        mean: `(K, C)`, 0 without samples.
        scatter: `(K, C)` sums of squared distances to the mean.
    """

    count: Tensor
    mean: Tensor
    scatter: Tensor

    @classmethod
    def of(cls, x: Tensor, row: Tensor, rows: int) -> Moments:
        """Return the moments of features `(N, C)` whose buckets are `row` `(N,)`."""
        total: Moments | None = None
        for part, index in zip(torch.split(x.detach(), _CHUNK), torch.split(row, _CHUNK), strict=True):
            wide, empty = part.double(), x.new_zeros(rows, x.shape[1], dtype=torch.float64)
            count = torch.bincount(index, minlength=rows)
            mean = empty.index_add(0, index, wide) / count.clamp(min=1)[:, None]
            moments = cls(count, mean, empty.index_add(0, index, (wide - mean[index]).square()))
            total = moments if total is None else total.joined(moments)
        assert total is not None  # split gives at least one part
        return total

    def joined(self, other: Moments) -> Moments:
        """Return the moments of both parts together."""
        count = self.count + other.count
        share = (other.count.double() / count.clamp(min=1))[:, None]
        step = other.mean - self.mean
        scatter = self.scatter + other.scatter + step.square() * share * self.count[:, None]
        return Moments(count, self.mean + step * share, scatter)

    def with_ends(self) -> Moments:
        """Return the moments of all rows but the first and last, which hold the samples beyond the ends.

        Samples beyond an end are added to the row of that end if the row has samples of its own, else left out.
        """
        inner = Moments(self.count[1:-1], self.mean[1:-1], self.scatter[1:-1])
        beyond = Moments(*(torch.zeros_like(tensor) for tensor in (inner.count, inner.mean, inner.scatter)))
        for end, row in ((0, 0), (-1, -1)):
            if inner.count[end] > 0:
                beyond = beyond.joined(self._alone(row, end, len(inner.count)))
        return inner.joined(beyond)

    def _alone(self, row: int, place: int, rows: int) -> Moments:
        """Return the moments of one row, placed among other rows that are empty."""
        tensors = []
        for tensor in (self.count, self.mean, self.scatter):
            empty = tensor.new_zeros(rows, *tensor.shape[1:])
            empty[place] = tensor[row]
            tensors.append(empty)
        return Moments(*tensors)


def reflected_convolution(window: Tensor, rows: int) -> Tensor:
    """Return the matrix `(K, K)` of a convolution over K buckets that are reflected at both ends, repeatedly if needed.

    Args:
        window: `(size,)`, odd, symmetric or not: entry `half + s` weights the bucket s to the right.
        rows: K.

    Example:
        >>> reflected_convolution(torch.tensor([1.0, 2.0, 3.0]), 3)
        tensor([[2., 4., 0.],
                [1., 2., 3.],
                [0., 4., 2.]])
    """
    half = len(window) // 2
    position = torch.arange(rows)[:, None] + torch.arange(-half, half + 1)
    if rows == 1:
        position = torch.zeros_like(position)
    else:  # a bucket mirrored at 0 and at K - 1 comes back every 2 (K - 1)
        position = position.remainder(2 * (rows - 1))
        position = torch.minimum(position, 2 * (rows - 1) - position)
    matrix = window.new_zeros(rows, rows)
    return matrix.scatter_add_(1, position, window.expand(rows, -1).contiguous())


def filled(table: Tensor, seen: Tensor) -> Tensor:
    """Fill unseen buckets of statistics `(S, K, D)` linearly between seen ones, and at the ends by the nearest."""
    if bool(seen.all()) or not bool(seen.any()):
        return table
    known = seen.nonzero().squeeze(1)
    every = torch.arange(len(seen), device=table.device)
    after = torch.searchsorted(known, every).clamp(max=len(known) - 1)
    before = (torch.searchsorted(known, every, right=True) - 1).clamp(min=0)
    gap = (known[after] - known[before]).clamp(min=1)
    share = ((every - known[before]).clamp(min=0) / gap).clamp(max=1).to(table.dtype)[None, :, None]
    return table[:, known[before]] * (1 - share) + table[:, known[after]] * share
