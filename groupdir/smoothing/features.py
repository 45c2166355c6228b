"""Feature distribution smoothing (FDS)."""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor

from groupdir.smoothing.buckets import BucketSmoothing
from groupdir.smoothing.moments import Moments


class FeatureSmoothing(BucketSmoothing):
    """Feature distribution smoothing (FDS): z' = (z - m_b) sqrt(clamp(v~_b / v_b)) + m~_b.

    m_b and v_b are the mean and unbiased variance of the features of bucket b, averaged over epochs (the first epoch
    replaces the initial values). m~ and v~ are the same, smoothed over buckets, which are reflected at both ends. The
    statistics of an epoch apply after the next update, so features are unchanged until the second update. Labels
    beyond the ends count in the first and last bucket.

    In each training step, call `smooth` between encoder and head. After each epoch, call `update` with the features of
    the whole training set (or `observe` for each batch, then `advance`). At test time nothing is smoothed.

    `as_published` reproduces four effects of the published code. m_b and v_b are those of *this* update while m~ and v~
    are those before it, because their buffers are one object. `smooth` writes into its argument, so the pass that
    collects statistics sees smoothed features. Labels beyond an end count only in batches in which the label of that
    end occurs. Buckets without samples pull their neighbours to mean 0 and variance 1.

    Args:
        buckets: Number of buckets, counted from 0. Published: 100 years, 50 tenths of a score.
        start: First bucket with statistics. Published: 3 for AgeDB, else 0.
        dim: Features D.
        kernel: Shape of the kernel over buckets.
        size: Number of buckets that the kernel covers, odd.
        sigma: Width of the kernel in buckets.
        momentum: Share of the old statistics in the average over epochs, in [0, 1).
        clip: Bounds of the ratio of the variances, 0 < low <= high. Published: (0.1, 10) for ages, (0.5, 2) for scores.
        as_published: Behave as the published code; see above.
        start_smooth: First epoch, counted from 0, in which features are smoothed.

    Raises:
        ValueError: On arguments out of range.

    Source: Yang et al. 2021, feature distribution smoothing, and its code for ages.

    Differences from the source: see `as_published`. Buckets without samples are interpolated linearly between their
    neighbours (the code for scores fills single gaps this way). The first epoch of a bucket replaces its initial
    values, however late it comes. Features with variance 0 in a bucket stay unchanged one by one; the code for scores
    leaves the whole bucket unchanged.

    Example:
        >>> fds = FeatureSmoothing(buckets=3, start=0, dim=1, kernel="triangular", size=3, sigma=1)
        >>> z, bucket = torch.tensor([[0.0], [2.0], [1.0], [5.0], [6.0], [8.0]]), torch.tensor([0, 0, 1, 1, 2, 2])
        >>> for epoch in (0, 1):
        ...     fds.update(z, bucket, epoch)
        >>> fds.smooth(z, bucket, epoch=2)[:2].flatten()  # means 1, 3, 7, smoothed 2, ...; variances 2, 8, 2: ratio 2.5
        tensor([0.4189, 3.5811])
    """

    window_powers = (1, 1)
    initial = (0.0, 1.0)

    neutral = MappingProxyType({"center": 0.0, "factor": 1.0, "target": 0.0})

    center: Tensor
    factor: Tensor
    target: Tensor

    def smooth(self, z: Tensor, bucket: Tensor, epoch: int) -> Tensor:
        """Return calibrated features.

        Args:
            z: Training features `(B, D)`, floating.
            bucket: Buckets `(B,)` of their targets, whole numbers.
            epoch: The current epoch, counted from 0; before `start_smooth`, `z` itself is returned.

        Returns:
            `(B, D)` of z's type, differentiable in `z`; with `as_published`, `z` itself, changed.

        Raises:
            ValueError: On wrong shapes or types.
        """
        self._check(z, bucket)
        if epoch < self.start_smooth:
            return z
        row, inside = self._rows(bucket)
        wide = z if z.dtype == torch.float64 else z.float()
        center, factor, target = (table.to(wide.dtype)[row] for table in (self.center, self.factor, self.target))
        moved = ((wide - center) * factor + target).to(z.dtype)
        if inside is not None:
            moved = torch.where(inside[:, None], moved, z)
        return z.copy_(moved) if self.as_published else moved

    @torch.no_grad()
    def update(self, z: Tensor, bucket: Tensor, epoch: int) -> None:
        """Update the statistics by the features of the whole training set, computed after this epoch's training.

        Args:
            z: `(N, D)`, floating.
            bucket: `(N,)`, whole numbers.
            epoch: The epoch that ended, larger at each call.

        Raises:
            ValueError: On wrong shapes or types, or an epoch that is not later than the last one.
        """
        self.observe(z, bucket)
        self.advance(epoch)

    @torch.no_grad()
    def observe(self, z: Tensor, bucket: Tensor) -> None:
        """Collect the features of one batch for the next `advance`; see `update`."""
        self._check(z, bucket)
        self._observe(z, bucket)

    def _statistics(self, moments: Moments) -> Tensor:
        variance = moments.scatter / (moments.count - 1).clamp(min=1)[:, None]
        return torch.stack([moments.mean, variance])

    def _tables(self, raw: Tensor, smoothed: Tensor, factor: Tensor) -> dict[str, Tensor]:
        return {"center": raw[0], "factor": factor, "target": smoothed[0]}
