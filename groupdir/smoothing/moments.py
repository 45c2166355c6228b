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
        moments = cls.empty(rows, x)
        moments.include(x, row)
        return moments

    @classmethod
    def empty(cls, rows: int, x: Tensor) -> Moments:
        """Return the moments of no samples, for features `(N, C)` like these."""
        zeros = x.new_zeros(rows, x.shape[1], dtype=torch.float64)
        return cls(x.new_zeros(rows, dtype=torch.int64), zeros, zeros.clone())

    def include(self, x: Tensor, row: Tensor) -> None:
        """Add the samples of features `(N, C)` in place. Only the buckets `row` `(N,)` that occur are computed."""
        for part, index in zip(torch.split(x.detach(), _CHUNK), torch.split(row, _CHUNK), strict=True):
            occurs, inside = torch.unique(index, return_inverse=True)
            wide, empty = part.double(), part.new_zeros(len(occurs), x.shape[1], dtype=torch.float64)
            count = torch.bincount(inside, minlength=len(occurs))
            mean = empty.index_add(0, inside, wide) / count.clamp(min=1)[:, None]
            scatter = empty.index_add(0, inside, (wide - mean[inside]).square())
            before = Moments(self.count[occurs], self.mean[occurs], self.scatter[occurs])
            after = before.joined(Moments(count, mean, scatter))
            self.count[occurs], self.mean[occurs], self.scatter[occurs] = after.count, after.mean, after.scatter

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


class ReflectedConvolution:
    """Convolution over K buckets that are reflected at both ends, repeatedly if needed.

    It needs memory for K times the size of the window at most, and no matrix of K times K numbers.

    Args:
        window: `(size,)`, odd, symmetric or not: entry `half + s` weights the bucket s to the right.
        rows: K.

    Example:
        >>> smooth = ReflectedConvolution(torch.tensor([1.0, 2.0, 3.0]), 3)
        >>> smooth(torch.eye(3))
        tensor([[2., 4., 0.],
                [1., 2., 3.],
                [0., 4., 2.]])
    """

    def __init__(self, window: Tensor, rows: int) -> None:
        self._rows, self._period = rows, max(1, 2 * (rows - 1))  # a bucket mirrored at 0 and K - 1 returns after this
        shifts = (torch.arange(len(window)) - len(window) // 2).remainder(self._period)
        self._shifts, place = torch.unique(shifts, return_inverse=True)  # a wide window meets a bucket several times
        self._weights = window.new_zeros(len(self._shifts)).index_add(0, place, window)

    def __call__(self, table: Tensor) -> Tensor:
        """Return the smoothed statistics of `(K, D)`."""
        bucket = torch.arange(self._rows, device=table.device)
        smoothed = torch.zeros_like(table)
        for shift, weight in zip(self._shifts.tolist(), self._weights.tolist(), strict=True):
            source = (bucket + shift).remainder(self._period)
            source = torch.minimum(source, self._period - source) if self._rows > 1 else torch.zeros_like(source)
            smoothed.add_(table[source], alpha=weight)
        return smoothed


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
