"""Shared part of `FeatureSmoothing` and `ProbabilisticSmoothing`: statistics of features in buckets of labels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from groupdir.labels import LDS, Kernel
from groupdir.smoothing.moments import Moments, ReflectedConvolution, filled


class BucketSmoothing(nn.Module, ABC):
    """Base class of the two feature smoothings.

    It keeps statistics of the features of each bucket, averages them over epochs, and smooths them over neighbouring
    buckets. From these, `advance` computes the tables with which a subclass shifts and scales features. S is the number
    of statistics of a bucket: a mean, its variance, and those that the subclass adds. They are float64 buffers, so a
    state_dict holds everything that the next epoch needs.

    Args:
        buckets: Number of buckets. A bucket is an index from 0 to buckets - 1.
        start: First bucket with statistics. K = buckets - start buckets have statistics.
        dim: Number of features D.
        kernel: Shape of the kernel over buckets.
        size: Number of buckets that the kernel covers, odd.
        sigma: Width of the kernel in buckets.
        momentum: Share of the old statistics in the average over epochs, in [0, 1).
        clip: Bounds of the ratio of the smoothed to the bucket's variance, 0 < low <= high. Published: (0.1, 10) for
            ages, (0.5, 2) for scores.
        as_published: Behave as the published code; see the subclasses.
        start_smooth: First epoch, counted from 0, in which features are smoothed.

    Raises:
        ValueError: On arguments out of range.
    """

    window_powers: ClassVar[tuple[int, ...]]  # for each of the S statistics: power of the kernel that smooths it
    initial: ClassVar[tuple[float, ...]]  # for each of the S statistics: value before any feature is observed
    neutral: ClassVar[Mapping[str, float]]  # name of each table of `smooth` -> value that leaves features unchanged

    running: Tensor
    count: Tensor
    updates: Tensor
    epoch: Tensor

    def __init__(
        self,
        buckets: int,
        start: int,
        dim: int,
        kernel: Kernel = "gaussian",
        size: int = 5,
        sigma: float = 2.0,
        momentum: float = 0.9,
        clip: Sequence[float] = (0.1, 10.0),
        as_published: bool = False,
        start_smooth: int = 1,
    ) -> None:
        super().__init__()
        if not 0 <= start < buckets:
            raise ValueError(f"0 <= start < buckets must hold, got start={start}, buckets={buckets}")
        if dim < 1:
            raise ValueError(f"dim must be >= 1, got {dim}")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be in [0, 1), got {momentum}")
        if len(clip) != 2 or not 0 < clip[0] <= clip[1]:
            raise ValueError(f"clip must be (low, high) with 0 < low <= high, got {clip}")
        self.buckets, self.start, self.dim, self.momentum = buckets, start, dim, momentum
        self.clip, self.as_published, self.start_smooth = (float(clip[0]), float(clip[1])), as_published, start_smooth
        rows, window = buckets - start, torch.from_numpy(LDS(kernel, size, sigma).window())
        window = window / window.sum()
        self._convolutions = [ReflectedConvolution(window**power, rows) for power in self.window_powers]
        self.register_buffer("running", torch.stack([self._table(rows, value) for value in self.initial]))
        self.register_buffer("count", torch.zeros(rows, dtype=torch.int64))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self.register_buffer("epoch", torch.full((), -1, dtype=torch.int64))
        for name, value in self.neutral.items():
            self.register_buffer(name, self._table(rows, value))
        self._moments: Moments | None = None

    def advance(self, epoch: int) -> None:
        """Add the features observed in this epoch to the average, and compute the tables for the epochs that follow.

        The tables come from the averages before this epoch, so the first call leaves features unchanged. With
        `as_published`, only the smoothed statistics come from before.

        Args:
            epoch: Number of the epoch. It must increase from call to call.

        Raises:
            ValueError: If the epoch is not later than the last one, or no features were observed in it.
        """
        last = int(self.epoch)
        if epoch <= last:
            raise ValueError(f"epoch must be later than that of the last update, {last}, got {epoch}")
        if self._moments is None:
            raise ValueError("features must have been observed in this epoch, got none")
        moments, self._moments = self._moments.with_ends() if self.as_published else self._moments, None
        first, before = int(self.updates) == 0, self.running.clone()
        known, seen = self.count > 0, moments.count > 0
        keep = torch.full_like(before[0, :, :1], 0.0 if first else self.momentum)
        if not self.as_published:
            keep = keep * known[:, None]
        average = (1 - keep) * self._statistics(moments) + keep * before
        self.running.copy_(torch.where(seen[:, None], average, before))
        self.count += moments.count
        if not first and self.as_published:
            self._calibrate(self.running, self._smoothed(before))
        elif not first:
            self._calibrate(torch.where(known[:, None], before, 0), self._smoothed(filled(before, known)))
        self.updates += 1
        self.epoch.fill_(epoch)

    def _observe(self, x: Tensor, bucket: Tensor) -> None:
        """Add features `(N, D)`, or distributions `(N, 2 D)`, to the moments of this epoch.

        In the published code, labels beyond an end count only if the label of that end occurs in the training set.
        This is known after the last batch, so they are collected in rows of their own, for `Moments.with_ends`.
        """
        rows = self.buckets - self.start
        if self.as_published:
            rows, row = rows + 2, (bucket.long() - self.start + 1).clamp(0, rows + 1)
        else:
            row, _ = self._rows(bucket)
        if self._moments is None:
            self._moments = Moments.empty(rows, x)
        self._moments.include(x, row)

    def _smoothed(self, statistics: Tensor) -> Tensor:
        """Return statistics `(S, K, D)` smoothed over buckets."""
        return torch.stack([smooth(table) for smooth, table in zip(self._convolutions, statistics, strict=True)])

    def _rows(self, bucket: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the row of the tables for each sample, and a mask of the samples that are smoothed (None: all).

        The published code leaves out labels beyond an end, except in batches in which the label of that end occurs.
        """
        last = self.buckets - 1 - self.start
        exact = bucket.long() - self.start
        row = exact.clamp(0, last)
        if not self.as_published:
            return row, None
        low, high = (exact == 0).any(), (exact == last).any()
        return row, ((exact >= 0) | low) & ((exact <= last) | high)

    def _check(self, x: Tensor, bucket: Tensor, name: str = "z") -> None:
        """Refuse features or buckets of a wrong shape or type."""
        if x.dim() != 2 or x.shape[1] != self.dim or not x.is_floating_point():
            raise ValueError(
                f"{name} must be a floating tensor of shape (B, {self.dim}), got {x.dtype} of shape {tuple(x.shape)}"
            )
        if bucket.shape != x.shape[:1] or bucket.is_floating_point() or bucket.is_complex():
            raise ValueError(
                f"bucket must be whole numbers of shape ({len(x)},), got {bucket.dtype} of shape {tuple(bucket.shape)}"
            )

    def _table(self, rows: int, value: float) -> Tensor:
        """Return a table `(rows, D)` that is `value` everywhere."""
        return torch.full((rows, self.dim), value, dtype=torch.float64)

    def _calibrate(self, raw: Tensor, smoothed: Tensor) -> None:
        """Set the tables from the statistics `raw` and `smoothed` over buckets, `(S, K, D)` each.

        Features whose raw variance is 0 in a bucket stay unchanged.
        """
        usable = (raw[1] > 0) & (raw[1].sum(1, keepdim=True) >= 1e-10)
        factor = (smoothed[1] / torch.where(usable, raw[1], 1)).clamp(*self.clip).sqrt()
        for name, table in self._tables(raw, smoothed, factor).items():
            getattr(self, name).copy_(torch.where(usable, table, self.neutral[name]))

    @abstractmethod
    def _statistics(self, moments: Moments) -> Tensor:
        """Return the statistics `(S, K, D)` of an epoch: the mean, the variance, and others that the subclass needs."""

    @abstractmethod
    def _tables(self, raw: Tensor, smoothed: Tensor, factor: Tensor) -> dict[str, Tensor]:
        """Return the tables `(K, D)` that `neutral` names.

        Args:
            raw: Statistics `(S, K, D)`.
            smoothed: These statistics, smoothed over buckets.
            factor: Ratio `(K, D)` of the smoothed to the raw standard deviation, clipped.
        """
