"""Focal-R: regression errors weighted by their size."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from groupdir.losses.batch import batch_mean, calculated, check_prediction, check_targets, check_weight

Base = Literal["l1", "mse"]
Activation = Literal["sigmoid", "tanh"]


def focal_loss(
    prediction: Tensor,
    y: Tensor,
    *,
    base: Base = "l1",
    beta: float = 0.2,
    gamma: float = 1.0,
    activation: Activation = "sigmoid",
    weight: Tensor | None = None,
) -> Tensor:
    """Return the mean of w |e|^b A(|e|)^gamma with e = prediction - y, in which small errors hardly count.

    A(|e|) is 2 sigmoid(beta |e|) - 1 or tanh(beta |e|), and b is 1 for "l1" and 2 for "mse". The gradient
    passes through A too.

    Args:
        prediction: `(B,)`, floating.
        y: Targets `(B,)` in the units of the predictions.
        base: Error that is weighted.
        beta: Slope of A, > 0, per unit of `y`: a larger one makes smaller errors count. Published: 0.2 for years, 20
            for scores over 5.
        gamma: Strength of the weighting, >= 0; 0 is the plain error.
        activation: The shape of A.
        weight: Weights of the samples `(B,)`, >= 0. The mean still divides by B.

    Returns:
        A scalar, float64 for float64 predictions and float32 otherwise; its gradient at an error of 0 is 0.

    Raises:
        ValueError: On wrong shapes or types, an unknown name, numbers out of range.

    Source: Yang et al. 2021, the Focal-R baseline.

    Differences from the source: a gamma below 1 gives no NaN gradient at an error of 0. 2 sigmoid(x) - 1 is computed
    as tanh(x / 2), which keeps the precision of small errors.

    Example:
        >>> focal_loss(torch.tensor([2.0]), torch.tensor([0.0]), beta=0.5, activation="tanh")  # 2 tanh(1)
        tensor(1.5232)
    """
    check_prediction(prediction)
    check_targets(y, len(prediction))
    check_weight(weight, len(prediction))
    if base not in get_args(Base):
        raise ValueError(f"base must be one of {', '.join(get_args(Base))}, got {base!r}")
    if activation not in get_args(Activation):
        raise ValueError(f"activation must be one of {', '.join(get_args(Activation))}, got {activation!r}")
    if not 0 < beta < math.inf:
        raise ValueError(f"beta must be > 0 and finite, got {beta}")
    if not 0 <= gamma < math.inf:
        raise ValueError(f"gamma must be >= 0 and finite, got {gamma}")
    prediction = calculated(prediction)
    error = (prediction - y.to(prediction.dtype)).abs()
    share = torch.tanh(error * (beta / 2 if activation == "sigmoid" else beta))
    zero = share < torch.finfo(share.dtype).tiny  # a power below 1 has an infinite slope there: times 0, NaN
    focus = torch.where(zero, 1, share) ** gamma
    loss = (error if base == "l1" else error.square()) * focus
    return batch_mean(torch.where(zero, 0, loss) if gamma > 0 else loss, weight)
