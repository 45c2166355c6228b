"""Feature smoothing for features that are distributions (VIR)."""

from __future__ import annotations

from types import MappingProxyType

import torch
from torch import Tensor

from groupdir.smoothing.buckets import BucketSmoothing
from groupdir.smoothing.moments import Moments


class ProbabilisticSmoothing(BucketSmoothing):
    """Smoothing of features that are normal distributions N(mean, variance) (VIR's probabilistic reparameterisation).

    A bucket of n samples has the statistics m = mean of the means, s = sum of variances / n^2 (the variance of m) and
    v = the variance of the means plus (1 - 1/n) times the mean variance. m and v are smoothed with the kernel, s with
    its square; then, with r = sqrt(clamp(v~ / v)),

        mean' = (mean - m) r + m~,   variance' = (variance + s) r + s~.

    Arguments and timing are those of `FeatureSmoothing`. `as_published` has the same effects as there, except that
    nothing is written in place.

    Source: Wang and Wang 2023 (VIR), the published code.

    Differences from the source: see `as_published`. If a bucket's v is 0 in some features, only those features stay
    unchanged; the published code drops their columns, which no later layer accepts. Features stay unchanged before the
    second update; in the published code variances grow by 2 until then, because s starts as 1.
    """

    window_powers = (1, 1, 2)
    initial = (0.0, 1.0, 1.0)

    neutral = MappingProxyType({"center": 0.0, "factor": 1.0, "target": 0.0, "spread": 0.0, "target_spread": 0.0})

    center: Tensor
    factor: Tensor
    target: Tensor
    spread: Tensor
    target_spread: Tensor

    def smooth(self, mean: Tensor, variance: Tensor, bucket: Tensor, epoch: int) -> tuple[Tensor, Tensor]:
        """Return calibrated means and variances.

        Args:
            mean: `(B, D)`, floating.
            variance: `(B, D)`, >= 0.
            bucket: `(B,)`, whole numbers.
            epoch: The current epoch, counted from 0; before `start_smooth` the arguments are returned unchanged.

        Returns:
            Two tensors `(B, D)` of the types of the arguments, differentiable with respect to them.

        Raises:
            ValueError: On wrong shapes or types.
        """
        self._check_both(mean, variance, bucket)
        if epoch < self.start_smooth:
            return mean, variance
        row, inside = self._rows(bucket)
        dtype = torch.float64 if mean.dtype == torch.float64 else torch.float32
        tables = (self.center, self.factor, self.target, self.spread, self.target_spread)
        center, factor, target, spread, target_spread = (table.to(dtype)[row] for table in tables)
        moved = ((mean.to(dtype) - center) * factor + target).to(mean.dtype)
        wider = ((variance.to(dtype) + spread) * factor + target_spread).to(variance.dtype)
        if inside is not None:
            moved = torch.where(inside[:, None], moved, mean)
            wider = torch.where(inside[:, None], wider, variance)
        return moved, wider

    @torch.no_grad()
    def update(self, mean: Tensor, variance: Tensor, bucket: Tensor, epoch: int) -> None:
        """Update the statistics by the features of the whole training set; see `FeatureSmoothing.update`.

        Raises:
            ValueError: On wrong shapes or types, or an epoch that is not later than the last one.
        """
        self.observe(mean, variance, bucket)
        self.advance(epoch)

    @torch.no_grad()
    def observe(self, mean: Tensor, variance: Tensor, bucket: Tensor) -> None:
        """Collect the features of one batch for the next `advance`; see `update`."""
        self._check_both(mean, variance, bucket)
        self._observe(torch.cat([mean, variance.to(mean.dtype)], dim=1), bucket)

    def _check_both(self, mean: Tensor, variance: Tensor, bucket: Tensor) -> None:
        self._check(mean, bucket, "mean")
        self._check(variance, bucket, "variance")

    def _statistics(self, moments: Moments) -> Tensor:
        number = moments.count.clamp(min=1).double()[:, None]
        mean, variance = moments.mean.tensor_split(2, dim=1)
        between = moments.scatter[:, : self.dim] / number
        return torch.stack([mean, between + variance * (1 - 1 / number), variance / number])

    def _tables(self, raw: Tensor, smoothed: Tensor, factor: Tensor) -> dict[str, Tensor]:
        tables = {"center": raw[0], "factor": factor, "target": smoothed[0]}
        return tables | {"spread": raw[2], "target_spread": smoothed[2]}
