"""KL divergence of a normal posterior over features from the standard normal: the VAE's regulariser."""

from __future__ import annotations

import torch
from torch import Tensor

from groupdir.losses.batch import batch_mean, calculated, check_features, spoiled


def gaussian_kl_loss(mean: Tensor, variance: Tensor) -> Tensor:
    """Return KL(N(mean, variance) || N(0, 1)), summed over features and averaged over the batch.

    1/2 sum_d (variance + mean^2 - 1 - log variance); variances below 1e-12 count as 1e-12.

    Args:
        mean: `(B, D)`, floating.
        variance: `(B, D)`, > 0.

    Returns:
        A scalar >= 0, float64 for float64 means and float32 otherwise; 0 for an empty batch.

    Raises:
        ValueError: On wrong shapes or types.

    Source: Kingma and Welling 2014, appendix B.

    Example:
        >>> gaussian_kl_loss(torch.tensor([[1.0, 0.0]]), torch.ones(1, 2))
        tensor(0.5000)
    """
    check_features(mean, "mean")
    if variance.shape != mean.shape or not variance.is_floating_point():
        raise ValueError(
            f"variance must be a floating tensor of shape {tuple(mean.shape)}, as the mean is, "
            f"got {variance.dtype} of shape {tuple(variance.shape)}"
        )
    mean = calculated(mean)
    at_least = variance.to(mean.dtype).clamp(min=1e-12)
    with torch.autocast(mean.device.type, enabled=False):
        loss = batch_mean((at_least - 1 - at_least.log() + mean.square()).sum(1) / 2)
        return spoiled(loss, mean, variance)
