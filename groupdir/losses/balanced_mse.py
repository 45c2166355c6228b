"""Balanced MSE: the likelihood of the target under the training distribution of targets, in three approximations.

The model predicts the mean p of a normal distribution of width sigma, as if all targets were equally likely. If the
training targets have the density q, the likelihood of y is N(y; p, v) q(y) / integral of N(t; p, v) q(t) dt with
v = sigma^2. The loss is the negative logarithm of that, without the constant log q(y). The three functions approximate
the integral differently: over the batch (BMC), over a Gaussian mixture fitted to the training targets (GAI), or over
their histogram (BNI). At test time p needs no correction: it is the prediction for uniformly distributed targets.

Each loss is multiplied by the value of 2 v, so its gradient with respect to p is that of a squared error. All of them
are computed in float64, and quadratic terms are subtracted before the division by v, so no precision is lost for far
predictions, small sigmas or large sigmas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groupdir.losses.batch import batch_mean, check_prediction, check_targets, spoiled

Values = Tensor | npt.NDArray[np.floating] | Sequence[float]

_LEAST_VARIANCE = 1e-6


def batch_monte_carlo_loss(
    prediction: Tensor, y: Tensor, sigma: Tensor | float, *, as_published: bool = False
) -> Tensor:
    """Return the Balanced MSE that takes the batch as a sample of the training targets (BMC).

    2 v times the mean of -log(sum over {j: y_j = y_i} of exp(l_ij) / sum over all j of exp(l_ij)), with
    l_ij = -(prediction_i - y_j)^2 / (2 v) and v = sigma^2, at least 1e-6.

    Args:
        prediction: `(B,)`, floating.
        y: Targets `(B,)` in the units of the predictions.
        sigma: Width of the noise in the same units: a number > 0, or a tensor of one value, which gets a gradient.
        as_published: Count only j = i as right, as the published code does. Equal targets in a batch are then false
            negatives, and a perfect prediction costs 2 v log(samples with its target). Gradients are the same.

    Returns:
        A scalar, float64 for float64 predictions and float32 otherwise; 0 for one sample.

    Raises:
        ValueError: On wrong shapes or types, or a sigma that is not positive.

    Source: Ren et al. 2022 (Balanced MSE), batch-based Monte Carlo.

    Differences from the source: equal targets do not count as negatives. The source leaves out the density of y_i,
    which the batch estimates by its share of equal targets; with it, the value is that of the full likelihood.

    Example:
        >>> batch_monte_carlo_loss(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0]), 1.0)  # 2 log(1 + exp(-1/2))
        tensor(0.9482)
    """
    p, t, variance = _arguments(prediction, y, sigma)
    step = t - t[:, None]
    loss = _log_ratio((p - t)[:, None], step, variance).logsumexp(1) if len(t) else p
    if not as_published:
        loss = loss - (step == 0).sum(1).to(loss.dtype).log()
    return _result(loss, variance, prediction)


def gmm_integration_loss(
    prediction: Tensor, y: Tensor, sigma: Tensor | float, means: Values, variances: Values, weights: Values
) -> Tensor:
    """Return the Balanced MSE that takes a Gaussian mixture as the density of the training targets (GAI).

    2 v times the mean of (y - p)^2 / (2 v) + log(v) / 2 + log sum_k w_k N_k, with v = sigma^2, at least 1e-6, and
    N_k = exp(-(p - m_k)^2 / (2 (v_k + v))) / sqrt(v_k + v).

    Args:
        prediction: p `(B,)`, floating.
        y: Targets `(B,)` in the units of the predictions.
        sigma: Width of the noise in the same units: a number > 0, or a tensor of one value, which gets a gradient.
        means: m `(K,)`, or any shape of K values, as scikit-learn gives them.
        variances: v_k, K values >= 0.
        weights: w_k, K values >= 0, not all 0.

    Returns:
        A scalar, float64 for float64 predictions and float32 otherwise.

    Raises:
        ValueError: On wrong shapes or types, or a sigma or mixture out of range.

    Source: Ren et al. 2022 (Balanced MSE), GMM-based analytical integration; there with 8 components.

    Example:
        >>> p = torch.tensor([0.5, 2.0])
        >>> one = gmm_integration_loss(p, torch.tensor([0.0, 2.0]), 1.0, [1.0], [3.0], [1.0])
        >>> by_hand = 2 * sum(e / 2 + math.log(0.5) - d / 8 for e, d in ((0.25, 0.25), (0.0, 1.0))) / 2
        >>> abs(one.item() - by_hand) < 1e-6
        True
    """
    p, t, variance = _arguments(prediction, y, sigma)
    mean, spread, log_weight = _components(p, means, weights, variances)
    error, step, total = (p - t)[:, None], mean - t[:, None], spread + variance
    near = (spread * error.square() / variance + step * (2 * error - step)) / (2 * total)
    loss = (log_weight - torch.log1p(spread / variance) / 2 + near).logsumexp(1)
    return _result(loss, variance, prediction)


def bucket_integration_loss(
    prediction: Tensor, y: Tensor, sigma: Tensor | float, centers: Values, weights: Values
) -> Tensor:
    """Return the Balanced MSE that takes a histogram as the density of the training targets (BNI).

    2 v times the mean of (y - p)^2 / (2 v) + log sum_k w_k exp(-(p - c_k)^2 / (2 v)), with v = sigma^2, at least 1e-6.

    Args:
        prediction: p `(B,)`, floating.
        y: Targets `(B,)` in the units of the predictions.
        sigma: Width of the noise in the same units: a number > 0, or a tensor of one value, which gets a gradient.
        centers: c `(K,)`, the centres of the buckets.
        weights: w_k, K values >= 0, not all 0: the share of the training targets in each bucket.

    Returns:
        A scalar, float64 for float64 predictions and float32 otherwise.

    Raises:
        ValueError: On wrong shapes or types, or a sigma or weights out of range.

    Source: Ren et al. 2022 (Balanced MSE), bucket-based numerical integration.

    Example:
        >>> bucket_integration_loss(torch.tensor([0.0]), torch.tensor([0.0]), 1.0, [0.0, 1.0], [0.5, 0.5])
        tensor(-0.4381)
    """
    p, t, variance = _arguments(prediction, y, sigma)
    center, _, log_weight = _components(p, centers, weights)
    loss = (log_weight + _log_ratio((p - t)[:, None], center - t[:, None], variance)).logsumexp(1)
    return _result(loss, variance, prediction)


def _log_ratio(error: Tensor, step: Tensor, variance: Tensor) -> Tensor:
    """Return log N(t; p, v) / N(y; p, v) for error = p - y and step = t - y, without cancelling squares."""
    return step * (2 * error - step) / (2 * variance)


def _arguments(prediction: Tensor, y: Tensor, sigma: Tensor | float) -> tuple[Tensor, Tensor, Tensor]:
    """Return predictions, targets and the scalar variance, all in float64."""
    check_prediction(prediction)
    check_targets(y, len(prediction))
    if isinstance(sigma, Tensor):
        if sigma.numel() != 1 or not sigma.is_floating_point():
            raise ValueError(f"sigma must be one floating value, got {sigma.dtype} of shape {tuple(sigma.shape)}")
        width = sigma.reshape(()).to(prediction.device).double()
    else:
        if not 0 < sigma < math.inf:
            raise ValueError(f"sigma must be > 0 and finite, got {sigma}")
        width = torch.tensor(sigma, dtype=torch.float64, device=prediction.device)
    return prediction.double(), y.double(), width.square().clamp(min=_LEAST_VARIANCE)


def _result(loss: Tensor, variance: Tensor, prediction: Tensor) -> Tensor:
    """Return 2 v times the mean of the losses `(B,)`, in float64 for float64 predictions and float32 otherwise."""
    value = spoiled(batch_mean(loss) * 2 * variance.detach(), prediction)
    return value if prediction.dtype == torch.float64 else value.float()


def _components(
    p: Tensor, centers: Values, weights: Values, variances: Values | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return centres, variances (0 if None) and log-weights, each `(K,)`, on the predictions' device.

    Values are checked only on a CPU: on a GPU a check would wait for the device.
    """
    center = _flat(centers, p)
    weight = _flat(weights, p)
    spread = torch.zeros_like(center) if variances is None else _flat(variances, p)
    if not center.numel() or not center.shape == weight.shape == spread.shape:
        raise ValueError(
            f"a mixture needs K >= 1 values of each kind, got {center.numel()} centres, {spread.numel()} variances "
            f"and {weight.numel()} weights"
        )
    if center.device.type == "cpu":
        if not bool((weight >= 0).all() & (weight.sum() > 0)):
            raise ValueError(f"weights must be >= 0 and not all 0, got {weight.tolist()}")
        if not bool((spread >= 0).all()):
            raise ValueError(f"variances must be >= 0, got {spread.tolist()}")
    return center, spread, weight.log()


def _flat(values: Values, like: Tensor) -> Tensor:
    return torch.as_tensor(values, dtype=like.dtype, device=like.device).reshape(-1)
