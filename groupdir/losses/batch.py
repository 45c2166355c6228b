"""What the losses share: the type they calculate in, the checks of a batch's tensors, the mean over the batch."""

from __future__ import annotations

import torch
from torch import Tensor


def calculated(x: Tensor) -> Tensor:
    """The tensor in the type that losses calculate in: float64 stays, everything else becomes float32."""
    return x if x.dtype == torch.float64 else x.float()


def check_features(z: Tensor, name: str = "z") -> None:
    """Refuses what is no floating tensor `(B, D)`.

    Raises:
        ValueError: On a wrong shape or type.
    """
    if z.dim() != 2 or not z.is_floating_point():
        raise ValueError(f"{name} must be a floating tensor of shape (B, D), got {z.dtype} of shape {tuple(z.shape)}")


def check_prediction(prediction: Tensor) -> None:
    """Refuses what is no floating tensor `(B,)`; a `(B, 1)` would broadcast against targets `(B,)`.

    Raises:
        ValueError: On a wrong shape or type.
    """
    if prediction.dim() != 1 or not prediction.is_floating_point():
        raise ValueError(
            f"prediction must be a floating tensor of shape (B,), "
            f"got {prediction.dtype} of shape {tuple(prediction.shape)}"
        )


def check_targets(y: Tensor, batch: int, name: str = "y") -> None:
    """Refuses what is no real tensor of `batch` values.

    Raises:
        ValueError: On a wrong shape or type.
    """
    if y.shape != (batch,) or y.is_complex():
        raise ValueError(
            f"{name} must be a real tensor of shape ({batch},), one for each sample, "
            f"got {y.dtype} of shape {tuple(y.shape)}"
        )


def check_weight(weight: Tensor | None, batch: int) -> None:
    """Refuses weights that do not fit the batch; values are looked at on a CPU only, where that waits for nothing.

    Raises:
        ValueError: On a wrong shape, and on a CPU on weights that are negative or NaN.
    """
    if weight is None:
        return
    if weight.shape != (batch,):
        raise ValueError(f"weight must have shape ({batch},), one for each sample, got {tuple(weight.shape)}")
    if weight.device.type == "cpu" and not bool((weight >= 0).all()):
        raise ValueError(f"weight must be >= 0, got {weight[~(weight >= 0)].tolist()[:4]}")


def batch_mean(loss: Tensor, weight: Tensor | None = None) -> Tensor:
    """The sum of `(B,)` losses times their weights, over B; 0 for an empty batch.

    It divides by B and not by the sum of the weights: their mean is 1 over a data set, not over a batch.
    """
    if weight is not None:
        loss = loss * weight.to(loss.dtype)
    return loss.sum() / max(len(loss), 1)
