"""ConR: contrast samples whose predictions are near although their targets are far apart."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from groupdir.losses.batch import (
    batch_mean,
    calculated,
    check_features,
    check_prediction,
    check_targets,
    check_weight,
    spoiled,
)
from groupdir.losses.directions import cosine_matrix


def conr_loss(
    z: Tensor,
    y: Tensor,
    prediction: Tensor,
    *,
    window: float = 1.0,
    eta: float = 0.01,
    temperature: float = 0.07,
    weight: Tensor | None = None,
    count_others: bool = True,
    as_published: bool = False,
) -> Tensor:
    """Pull samples with near targets together and push away those whose predictions alone are near.

    With s_ij the cosine of features over the temperature, the partners of i are

        P_i = {j != i: |y_i - y_j| <= window}
        N_i = {j: |y_i - y_j| > window and |prediction_i - prediction_j| <= window}

    and with w_i the weights and c_ij = w_i exp(eta |y_i - y_j|) the value is

        D_i  = sum over P_i of exp(s_ij) + (B - |P_i|) + sum over N_i of c_ij exp(s_ij)
        loss = 1/B sum_i w_i [N_i not empty] mean over P_i of (log D_i - s_ij).

    A sample without a near target contributes 0. For two augmented views, concatenate them and repeat the rest.

    Args:
        z: Features `(B, D)`, floating, of any norm. A zero vector has cosine 0 with all and gradient 0.
        y: Targets `(B,)`.
        prediction: The model's predictions `(B,)` in the units of `y`. Only compared: no gradient.
        window: Largest distance of near targets, >= 0, in the units of `y`. Published: 1 year; 0.1 suits scores of
            0..5.
        eta: Extra push per unit of distance in `y`, >= 0.
        temperature: > 0.
        weight: Weights of the samples `(B,)`, >= 0.
        count_others: Keep the B - |P_i| in D_i. Published code has it, because it masks s_ij by a product and takes
            exp(0) = 1 for the rest, the sample itself included; the paper's formula does not.
        as_published: A sample without a near target makes the loss NaN (0 / 0), and distances are compared as rounded.
            It trains only on two views, where each sample has its twin.

    Returns:
        A scalar, float64 for float64 features and float32 otherwise.

    Raises:
        ValueError: On wrong shapes or types, numbers out of range.

    Source: Keramati et al. 2024 (ConR), the loss of the published code.

    Differences from the source: no 0 / 0, no overflow at low temperatures. Targets exactly `window` apart are near even
    where rounding says otherwise: 0.3 - 0.2 > 0.1 in float32.

    Example:
        >>> z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> loss = conr_loss(z, torch.tensor([0.0, 1.0, 5.0]), torch.tensor([0.0, 1.0, 0.5]), temperature=1.0)
        >>> by_hand = sum(math.log(math.e + 2 + math.exp(0.01 * d)) - 1 for d in (5, 4)) / 3
        >>> abs(loss.item() - by_hand) < 1e-6
        True
    """
    _check(z, y, prediction, window, eta, temperature, weight)
    with torch.autocast(z.device.type, enabled=False):
        s = cosine_matrix(calculated(z)) / temperature
        distance = _distances(y)
        near = distance <= (window if as_published else window + _rounding(y))
        positive = near & ~torch.eye(len(z), dtype=torch.bool, device=z.device)
        negative = ~near & (_distances(prediction) <= window)
        number = positive.sum(1)
        log_push = eta * distance if weight is None else eta * distance + weight.double().log()[:, None]
        push = torch.where(negative, s + log_push.to(s.dtype), -math.inf)
        no_term = 0.0 if count_others else torch.where(number > 0, -math.inf, 0.0).to(s.dtype)[:, None]
        log_sum = torch.cat([torch.where(positive, s, no_term), push], dim=1).logsumexp(1)
        total = torch.where(positive, s, 0).sum(1)
        if as_published:
            return spoiled(batch_mean((log_sum - total / number) * negative.any(1), weight), z, prediction)
        contrasted = negative.any(1) & (number > 0)
        loss = batch_mean(torch.where(contrasted, log_sum - total / number.clamp(min=1), 0), weight)
        return spoiled(loss, z, prediction)


def _distances(values: Tensor) -> Tensor:
    """Return |v_i - v_j| `(B, B)` in float64, where differences of float32 values are exact or nearly so."""
    values = values.detach().double()
    return (values[:, None] - values).abs()


def _rounding(y: Tensor) -> Tensor:
    """Return how much rounding can have added to the distance of two targets `(B, B)`.

    Targets are rounded to their type once, or twice if they were scaled.
    """
    eps = 2 * torch.finfo(y.dtype).eps if y.is_floating_point() else 0.0
    size = y.detach().double().abs()
    return eps * (size[:, None] + size)


def _check(
    z: Tensor, y: Tensor, prediction: Tensor, window: float, eta: float, temperature: float, weight: Tensor | None
) -> None:
    check_features(z)
    check_targets(y, len(z))
    check_prediction(prediction)
    check_targets(prediction, len(z), "prediction")
    check_weight(weight, len(z))
    for name, value in (("window", window), ("eta", eta)):
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be >= 0 and finite, got {value}")
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature must be > 0 and finite, got {temperature}")
