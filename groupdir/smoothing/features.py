"""Feature distribution smoothing."""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor

from groupdir.smoothing.buckets import BucketSmoothing
from groupdir.smoothing.moments import Moments


class FeatureSmoothing(BucketSmoothing):
    """Feature distribution smoothing (FDS): z' = (z - m_b) sqrt(clamp(v~_b / v_b)) + m~_b.

    m_b and v_b are the mean and unbiased variance of bucket b's features, averaged over epochs (the first replaces), m~
    and v~ the same smoothed over buckets, which reflect at their ends. An epoch's statistics come into use after the
    next update: features are unchanged until two updates were made. Buckets beyond the ends count as the ends.

    Use: in each training step `smooth` between encoder and head; after each epoch `update` with the features of the
    whole training set (or `observe` for each batch, then `advance`). Nothing is smoothed at test time.

    With `as_published` the subtracted m_b and v_b are those of *this* update while m~ and v~ are those before it (their
    buffers are one object in the published code); `smooth` writes into its argument, so that the statistics pass, which
    goes through it as training does, collects smoothed features; labels beyond an end count only in batches in which
    the end's own label occurs; buckets never seen pull their neighbours to mean 0 and variance 1.

    Args:
        buckets: Buckets are the whole numbers below it. Published: 100 years, 50 tenths of a score.
        start: The first bucket that has statistics. Published: 3 for AgeDB, else 0.
        dim: Features D.
        kernel: Shape of the kernel over buckets.
        size: Buckets that it covers, odd.
        sigma: Its width in buckets.
        momentum: Share of the old statistics in the average over epochs, in [0, 1).
        clip: Bounds of the ratio of the variances, 0 < low <= high. Published: (0.1, 10) for ages, (0.5, 2) for scores.
        as_published: The published behaviour, above.
        start_smooth: The first epoch, counted from 0, in which features are smoothed.

    Raises:
        ValueError: On arguments out of range.

    Source: Yang et al. 2021, feature distribution smoothing, and its code for ages.

    Differences from the source: see `as_published`. Buckets that were never seen take the line between their seen
    neighbours (the code for scores fills single gaps so); a bucket's first epoch replaces, whenever it comes. Features
    whose bucket has variance 0 stay as they are, alone, where the code for scores leaves the whole bucket.

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
        """Calibrated features.

        Args:
            z: Training features `(B, D)`, floating.
            bucket: Buckets `(B,)` of their targets, whole numbers.
            epoch: The current epoch, counted from 0; before `start_smooth`, `z` itself is given back.

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
        """Takes the features of the whole training set, made after this epoch's training, into the statistics.

        Args:
            z: `(N, D)`, floating.
            bucket: `(N,)`, whole numbers.
            epoch: The epoch that ended, larger at each call.

        Raises:
            ValueError: On wrong shapes or types, an epoch that is not later than the last one.
        """
        self.observe(z, bucket)
        self.advance(epoch)

    @torch.no_grad()
    def observe(self, z: Tensor, bucket: Tensor) -> None:
        """Collects the features of one batch for the next `advance`; see `update`."""
        self._check(z, bucket)
        self._observe(z, bucket)

    def _statistics(self, moments: Moments) -> Tensor:
        variance = moments.scatter / (moments.count - 1).clamp(min=1)[:, None]
        return torch.stack([moments.mean, variance])

    def _tables(self, own: Tensor, smoothed: Tensor, factor: Tensor) -> dict[str, Tensor]:
        return {"center": own[0], "factor": factor, "target": smoothed[0]}
