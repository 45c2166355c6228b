"""Losses of the group head: cross-entropy with descending labels, and logit adjustment."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from groupdir.labels import check_group, soft_labels
from groupdir.losses.batch import calculated, check_weight, spoiled

Reduction = Literal["mean", "sum"]


@functools.lru_cache(maxsize=64)
def _log_prior(counts: tuple[float, ...], tau: float, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return tau log(n_k / n) `(G,)`. It is kept, because sending it in every step would wait for a GPU."""
    number = torch.tensor(counts, dtype=torch.float64)
    with torch.inference_mode(False):
        return (tau * (number / number.sum()).log()).to(device=device, dtype=dtype)


def soft_label_loss(
    logits: Tensor, group: Tensor, beta: float, *, reduction: Reduction = "mean", weight: Tensor | None = None
) -> Tensor:
    """Return the cross-entropy with symmetric descending soft labels: -sum over k of q_ik log softmax(logits_i)_k.

    q = `soft_labels(group, G, beta)`. It is computed in float32 (float64 for float64 logits), even under autocast.

    Args:
        logits: Group head's outputs `(B, G)`, floating.
        group: Groups `(B,)`, whole numbers in [0, G).
        beta: Slope of the descending labels, > 0.
        reduction: "mean" divides the sum over samples by B.
        weight: Weights of the samples `(B,)`. "mean" still divides by B: weights have mean 1 over a data set, not a
            batch.

    Returns:
        A scalar, float64 for float64 logits and float32 otherwise; 0 for an empty batch.

    Raises:
        ValueError: On wrong arguments.

    Source: Pu et al. 2025, Eq. 4.

    Differences from the source: Eq. 4 is printed without the minus sign, and as a sum, which is reduction "sum" here.

    Example:
        >>> soft_label_loss(torch.zeros(4, 10), torch.tensor([0, 3, 3, 9]), beta=1.0)  # log 10
        tensor(2.3026)
    """
    logits = _checked_logits(logits, group)
    label = soft_labels(group, logits.shape[1], beta, dtype=logits.dtype)
    with torch.autocast(logits.device.type, enabled=False):
        loss = -(label * F.log_softmax(logits, dim=1)).sum(1)
    return spoiled(_reduced(loss, weight, reduction), logits)


def logit_adjusted_loss(
    logits: Tensor,
    group: Tensor,
    counts: Tensor | Sequence[float],
    tau: float = 1.0,
    *,
    reduction: Reduction = "mean",
    weight: Tensor | None = None,
) -> Tensor:
    """Return the cross-entropy on logits + tau log(n_k / N), which makes rare groups win by a margin in training.

    At inference use the raw logits. It is computed in float32 (float64 for float64 logits), even under autocast.

    Args:
        logits: Group head's outputs `(B, G)`, floating.
        group: Groups `(B,)`, whole numbers in [0, G).
        counts: Training samples of each group `(G,)`, each >= 1.
        tau: Strength, >= 0; 0 is plain cross-entropy.
        reduction: "mean" divides the sum over samples by B.
        weight: Weights of the samples `(B,)`; "mean" still divides by B.

    Returns:
        A scalar, float64 for float64 logits and float32 otherwise; 0 for an empty batch.

    Raises:
        ValueError: On wrong arguments. An empty group has no log-frequency: merge it, or cut the labels otherwise.

    Source: Menon et al. 2021, logit-adjusted softmax cross-entropy.

    Example:
        >>> logit_adjusted_loss(torch.zeros(1, 2), torch.tensor([1]), [9, 1])  # log 10
        tensor(2.3026)
    """
    logits = _checked_logits(logits, group)
    if not 0 <= tau < math.inf:
        raise ValueError(f"tau must be >= 0 and finite, got {tau}")
    number = torch.as_tensor(counts, dtype=torch.float64)
    if number.shape != logits.shape[1:]:
        raise ValueError(f"counts must have shape ({logits.shape[1]},), one for each logit, got {tuple(number.shape)}")
    if not bool((number >= 1).all()):
        empty = [k for k, n in enumerate(number.tolist()) if not n >= 1]
        raise ValueError(f"counts must be >= 1, got less in the groups {empty}; merge them or use fewer groups")
    prior = _log_prior(tuple(number.tolist()), float(tau), logits.device, logits.dtype)
    with torch.autocast(logits.device.type, enabled=False):
        loss = F.cross_entropy(logits + prior, group.long(), reduction="none")
    return spoiled(_reduced(loss, weight, reduction), logits)


def _checked_logits(logits: Tensor, group: Tensor) -> Tensor:
    """Check the shapes of logits and groups, then return the logits in the type that losses compute in."""
    if logits.dim() != 2 or not logits.is_floating_point() or not logits.shape[1]:
        raise ValueError(f"logits must be floating of shape (B, G), got {logits.dtype} of shape {tuple(logits.shape)}")
    check_group(group, logits.shape[1])  # torch would take -100 for "ignore this one"
    if len(group) != len(logits):
        raise ValueError(f"group must have shape ({len(logits)},), one for each row of logits, got ({len(group)},)")
    return calculated(logits)


def _reduced(loss: Tensor, weight: Tensor | None, reduction: Reduction) -> Tensor:
    """Return the sum of `(B,)` losses, or that sum divided by B."""
    if reduction not in get_args(Reduction):
        raise ValueError(f"reduction must be one of {', '.join(get_args(Reduction))}, got {reduction!r}")
    check_weight(weight, len(loss))
    if weight is not None:
        loss = loss * weight.to(loss.dtype)
    return loss.sum() if reduction == "sum" else loss.sum() / max(len(loss), 1)
