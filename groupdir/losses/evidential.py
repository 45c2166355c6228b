"""Deep evidential regression: a normal-inverse-gamma distribution over the mean and variance of the target."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from groupdir.losses.batch import batch_mean, calculated, check_targets, check_weight, spoiled

_LEAST = 1e-6


def evidential_loss(params: Tensor, y: Tensor, *, coefficient: float = 0.01, weight: Tensor | None = None) -> Tensor:
    """Return the mean of w (NLL + coefficient |y - gamma| (2 nu + alpha)).

    NLL is the negative logarithm of the Student t density that the four parameters give to y:

        1/2 log(pi / nu) - alpha log Om + (alpha + 1/2) log(nu (y - gamma)^2 + Om) + log Gamma(alpha)
        - log Gamma(alpha + 1/2),   Om = 2 beta (1 + nu).

    It is computed in float64: for large evidence the terms of NLL almost cancel.

    Args:
        params: `(B, 4)`, floating, the columns gamma (the prediction), nu > 0, alpha > 0, beta > 0, as
            `evidential_parameters` gives them. nu and beta below 1e-6 count as 1e-6.
        y: Targets `(B,)` in the units of gamma.
        coefficient: Cost of evidence for a wrong prediction, >= 0.
        weight: Weights of the samples `(B,)`, >= 0. The mean still divides by B.

    Returns:
        A scalar, float64 for float64 parameters and float32 otherwise.

    Raises:
        ValueError: On wrong shapes or types, a coefficient out of range.

    Source: Amini et al. 2020, Eq. 8 to 10, with the regulariser's evidence 2 nu + alpha.

    Example:
        >>> evidential_loss(torch.tensor([[0.0, 1.0, 1.0, 1.0]]), torch.tensor([0.0]), coefficient=0.0)  # log 4
        tensor(1.3863)
    """
    _check_columns(params, 4, "params")
    check_targets(y, len(params))
    check_weight(weight, len(params))
    if not 0 <= coefficient < math.inf:
        raise ValueError(f"coefficient must be >= 0 and finite, got {coefficient}")
    gamma, nu, alpha, beta = params.double().unbind(1)
    nu, beta = nu.clamp(min=_LEAST), beta.clamp(min=_LEAST)
    error = y.double() - gamma
    scale = 2 * beta * (1 + nu)
    likelihood = (
        (math.pi * scale / nu).log() / 2
        + (alpha + 0.5) * torch.log1p(nu * error.square() / scale)
        + torch.lgamma(alpha)
        - torch.lgamma(alpha + 0.5)
    )
    loss = spoiled(batch_mean(likelihood + coefficient * error.abs() * (2 * nu + alpha), weight), params)
    return loss if params.dtype == torch.float64 else loss.float()


def evidential_parameters(raw: Tensor, *, sharpness: float = 0.01, beta_scale: float = 1.0) -> Tensor:
    """Map a head's four outputs to parameters: gamma unchanged, nu and beta by softplus, alpha by 1 + softplus.

    Args:
        raw: `(B, 4)`, floating, a head's outputs.
        sharpness: s > 0 of the softplus log(1 + exp(s x)) / s. A small s starts with much evidence: log(2) / s at x =
            0, which is 69.3 for the 0.01 of the published code.
        beta_scale: Factor of beta, > 0. Beta has the unit of a squared target, so settings for targets in another unit
            need the square of the ratio of the units: 0.01 for settings in years and targets in units of 10 years.

    Returns:
        `(B, 4)`: gamma, nu, alpha, beta, as `evidential_loss` takes them; float64 for float64 and float32 otherwise.

    Raises:
        ValueError: On a wrong shape or type, a sharpness or a scale that is not positive.

    Source: Amini et al. 2020; the sharpness is that of the code of Wang and Wang 2023.

    Example:
        >>> evidential_parameters(torch.zeros(1, 4), sharpness=1.0)
        tensor([[0.0000, 0.6931, 1.6931, 0.6931]])
    """
    _check_columns(raw, 4, "raw")
    if not 0 < sharpness < math.inf:
        raise ValueError(f"sharpness must be > 0 and finite, got {sharpness}")
    _check_scale(beta_scale)
    gamma, nu, alpha, beta = calculated(raw).unbind(1)
    nu, alpha, beta = (F.softplus(part, beta=sharpness) for part in (nu, alpha, beta))
    return torch.stack([gamma, nu, alpha + 1, beta_scale * beta], dim=1) + _spoils(raw)


def conjugate_parameters(raw: Tensor, weight: Tensor | None = None, *, beta_scale: float = 1.0) -> Tensor:
    """Map the three outputs (x, n, b) of VIR's head to four parameters, with evidence times the sample's weight.

    gamma = x, nu = n w, alpha = 0.3 + n w / 2 and beta = b, with n = 2 + softplus and b = softplus of the outputs,
    softplus(x) = 10 log(1 + exp(x / 10)). VIR's loss is the unweighted `evidential_loss` of these.

    Args:
        raw: `(B, 3)`, floating, a head's outputs.
        weight: w `(B,)`, >= 0, in training; None means 1, as at test time.
        beta_scale: Factor of beta; see `evidential_parameters`.

    Returns:
        `(B, 4)`: gamma, nu, alpha, beta, as `evidential_loss` takes them; float64 for float64 and float32 otherwise.

    Raises:
        ValueError: On wrong shapes or types, a scale that is not positive.

    Source: Wang and Wang 2023 (VIR), the published code, with its prior alpha of 0.3.

    Example:
        >>> conjugate_parameters(torch.zeros(1, 3), torch.tensor([2.0]))
        tensor([[ 0.0000, 17.8629,  9.2315,  6.9315]])
    """
    _check_columns(raw, 3, "raw")
    check_weight(weight, len(raw))
    _check_scale(beta_scale)
    gamma, evidence, beta = calculated(raw).unbind(1)
    evidence = F.softplus(evidence, beta=0.1) + 2
    if weight is not None:
        evidence = evidence * weight.to(evidence.dtype)
    beta = beta_scale * F.softplus(beta, beta=0.1)
    return torch.stack([gamma, evidence, 0.3 + evidence / 2, beta], dim=1) + _spoils(raw)


def _check_scale(beta_scale: float) -> None:
    if not 0 < beta_scale < math.inf:
        raise ValueError(f"beta_scale must be > 0 and finite, got {beta_scale}")


def _spoils(raw: Tensor) -> Tensor:
    """Return `(B, 1)`: NaN for a row with an output that is not finite, which a softplus could hide, and else 0."""
    return (calculated(raw).detach() * 0).sum(1, keepdim=True)


def _check_columns(x: Tensor, columns: int, name: str) -> None:
    if x.dim() != 2 or x.shape[1] != columns or not x.is_floating_point():
        raise ValueError(
            f"{name} must be a floating tensor of shape (B, {columns}), got {x.dtype} of shape {tuple(x.shape)}"
        )
