"""Shared parts of the losses: their floating type, checks of a batch's tensors, and the mean over the batch."""

from __future__ import annotations

import torch
from torch import Tensor


def calculated(x: Tensor) -> Tensor:
    """Return the tensor in the type that losses compute in: float64 stays, everything else becomes float32."""
    return x if x.dtype == torch.float64 else x.float()


def check_features(z: Tensor, name: str = "z") -> None:
    """Refuse anything but a floating tensor `(B, D)`.

    Raises:
        ValueError: On a wrong shape or type.
    """
    if z.dim() != 2 or not z.is_floating_point():
        raise ValueError(f"{name} must be a floating tensor of shape (B, D), got {z.dtype} of shape {tuple(z.shape)}")


def check_prediction(prediction: Tensor) -> None:
    """Refuse anything but a floating tensor `(B,)`. A `(B, 1)` would silently broadcast against targets `(B,)`.

    Raises:
        ValueError: On a wrong shape or type.
    """
    if prediction.dim() != 1 or not prediction.is_floating_point():
        raise ValueError(
            f"prediction must be a floating tensor of shape (B,), "
            f"got {prediction.dtype} of shape {tuple(prediction.shape)}"
        )


def check_targets(y: Tensor, batch: int, name: str = "y") -> None:
    """Refuse anything but a real tensor of `batch` values.

    Raises:
        ValueError: On a wrong shape or type.
    """
    if y.shape != (batch,) or y.is_complex():
        raise ValueError(
            f"{name} must be a real tensor of shape ({batch},), one for each sample, "
            f"got {y.dtype} of shape {tuple(y.shape)}"
        )


def check_weight(weight: Tensor | None, batch: int) -> None:
    """Refuse weights that do not fit the batch. Values are checked only on a CPU: on a GPU a check would wait.

    Raises:
        ValueError: On a wrong shape, or, on a CPU, on weights that are negative or NaN.
    """
    if weight is None:
        return
    if weight.shape != (batch,):
        raise ValueError(f"weight must have shape ({batch},), one for each sample, got {tuple(weight.shape)}")
    if weight.device.type == "cpu" and not bool((weight >= 0).all()):
        raise ValueError(f"weight must be >= 0, got {weight[~(weight >= 0)].tolist()[:4]}")


def batch_mean(loss: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the sum of `(B,)` losses times their weights, divided by B; 0 for an empty batch.

    The divisor is B and not the sum of the weights, because weights have mean 1 over a data set, not over a batch.
    """
    if weight is not None:
        loss = loss * weight.to(loss.dtype)
    return loss.sum() / max(len(loss), 1)


def spoiled(loss: Tensor, *inputs: Tensor) -> Tensor:
    """Return a loss, or NaN if an input holds a value that is not finite, such as the feature of a diverged encoder.

    Comparisons, ranks and clamps of such values can be finite, so a training would continue with a wrong loss. The
    host does not wait for a GPU here.
    """
    for values in inputs:
        loss = loss + (values.detach() * 0).sum().to(loss.dtype)
    return loss
