"""Losses of values that are not finite: none is finite, so that a training which has diverged ends with an error."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import groupdir.losses
from groupdir.config.group_losses import GroupLossConfig
from groupdir.data.base import Targets
from groupdir.group_losses.base import GroupHead
from groupdir.losses import (
    batch_monte_carlo_loss,
    bucket_integration_loss,
    conjugate_parameters,
    conr_loss,
    etf_dot_regression_loss,
    evidential_loss,
    evidential_parameters,
    focal_loss,
    gaussian_kl_loss,
    gmm_integration_loss,
    group_contrastive_loss,
    logit_adjusted_loss,
    ranksim_loss,
    simplex_etf,
    soft_label_loss,
)
from groupdir.registry import TABLES, resolve, resolve_config
from groupdir.smoothing import FeatureSmoothing, ProbabilisticSmoothing

B, D, G = 12, 6, 3
Y = torch.arange(B) / 2
GROUP = torch.arange(B) % G
TARGETS = Targets(low=0, high=6, bin_width=0.5, unit="units", center=3, scale=2)
SIGMA = 1.0
MIXTURE = ([0.0, 1.0], [1.0, 2.0], [0.5, 0.5])
RAW = torch.rand(B, 4) + 0.5


def z() -> Tensor:
    return torch.randn(B, D, generator=torch.Generator().manual_seed(0))


def value() -> Tensor:
    return torch.randn(B, generator=torch.Generator().manual_seed(1)) * 2 + 3


Case = tuple[Callable[..., Tensor], tuple[Callable[[], Tensor], ...]]
CASES: dict[str, Case] = {
    "batch_monte_carlo_loss": (lambda p: batch_monte_carlo_loss(p, Y, SIGMA), (value,)),
    "gmm_integration_loss": (lambda p: gmm_integration_loss(p, Y, SIGMA, *MIXTURE), (value,)),
    "bucket_integration_loss": (lambda p: bucket_integration_loss(p, Y, SIGMA, [0.0, 1.0], [0.5, 0.5]), (value,)),
    "conr_loss": (lambda z, p: conr_loss(z, Y, p), (z, value)),
    "conr_loss as published": (lambda z, p: conr_loss(z, Y, p, as_published=True), (z, value)),
    "conr_loss that contrasts nothing": (lambda z, p: conr_loss(z, Y, p, window=100), (z, value)),
    "ranksim_loss": (lambda z: ranksim_loss(z, Y), (z,)),
    "ranksim_loss of one target": (lambda z: ranksim_loss(z, torch.ones(B)), (z,)),
    "etf_dot_regression_loss": (
        lambda z: etf_dot_regression_loss(z, GROUP, simplex_etf(D, G), length_penalty=0.01),
        (z,),
    ),
    "evidential_loss": (evidential_loss_of := lambda params: evidential_loss(params, Y), (RAW.clone,)),
    "evidential_parameters": (lambda raw: evidential_loss_of(evidential_parameters(raw)), (RAW.clone,)),
    "conjugate_parameters": (
        lambda raw: evidential_loss_of(conjugate_parameters(raw)),
        (RAW[:, :3].clone,),
    ),
    "focal_loss": (lambda p: focal_loss(p, Y), (value,)),
    "focal_loss of squares": (lambda p: focal_loss(p, Y, base="mse", gamma=0.5), (value,)),
    "gaussian_kl_loss": (gaussian_kl_loss, (z, lambda: z().square() + 1)),
    "logit_adjusted_loss": (lambda logits: logit_adjusted_loss(logits[:, :G], GROUP, [4, 2, 1]), (z,)),
    "soft_label_loss": (lambda logits: soft_label_loss(logits, GROUP, 1.0), (z,)),
    **{
        f"group_contrastive_loss, {similarity}, {name}": (
            lambda z, similarity=similarity, on=on: group_contrastive_loss(z, on, 1.0, similarity),
            (z,),
        )
        for similarity in ("negative_l2", "cosine", "negative_unit_l2")
        for name, on in (("groups", GROUP), ("targets", Y))
    },
    "group_contrastive_loss of one sample": (lambda z: group_contrastive_loss(z[2:3], GROUP[:1], 1.0), (z,)),
}


def _plug_ins() -> dict[str, Case]:
    """Every regression loss, regularizer and group loss that is registered."""
    made: dict[str, Case] = {}
    ones, predicted = torch.ones(B), value()
    for name in TABLES["regression_loss"]:
        loss = resolve("regression_loss", name)(resolve_config("regression_loss", name)(name=name), TARGETS, Y.numpy())
        made[f"regression_loss {name}"] = (lambda p, loss=loss: loss(p, (Y - 3) / 2, ones), (value,))
    for name in TABLES["regularizer"]:
        term = resolve("regularizer", name)(resolve_config("regularizer", name)(name=name), TARGETS)
        used = (z,) if name == "ranksim" else (z, value)  # RankSim does not read the predictions
        made[f"regularizer {name}"] = (lambda z, p=predicted, term=term: term(z, Y, p, ones), used)
    for name in TABLES["group_loss"]:
        options: GroupLossConfig = resolve_config("group_loss", name)(name=name)
        head = GroupHead(torch.nn.Identity(), torch.nn.Linear(D, 2 * G), torch.tensor([4, 2, 1]))
        group_loss = resolve("group_loss", name)(options, head)

        def of(z: Tensor, head: GroupHead = head, group_loss: Any = group_loss) -> Tensor:
            loss: Tensor = group_loss.loss(z, head.layer(z)[:, :G], GROUP, (z,))
            return loss

        made[f"group_loss {name}"] = (of, (z,))
    return made


def _smoothings() -> dict[str, Case]:
    """Both smoothings, whose result goes into a loss."""
    plain, random = FeatureSmoothing(G, 0, D), ProbabilisticSmoothing(G, 0, D)
    for epoch in (0, 1):
        plain.update(z(), GROUP, epoch)
        random.update(z(), z().square() + 1, GROUP, epoch)
    return {
        "FeatureSmoothing": (lambda z: plain.smooth(z, GROUP, 2).sum(), (z,)),
        "ProbabilisticSmoothing": (
            lambda z, v: torch.cat(random.smooth(z, v, GROUP, 2)).sum(),
            (z, lambda: z().square() + 1),
        ),
    }


ALL = {**CASES, **_plug_ins(), **_smoothings()}


def test_every_loss_is_here() -> None:
    public = {name for name in groupdir.losses.__all__ if name.endswith(("_loss", "_parameters"))}
    assert public <= {name.partition(",")[0] for name in CASES}


@pytest.mark.parametrize("name", ALL)
def test_a_loss_of_values_that_are_not_finite_is_not_finite(name: str) -> None:
    loss, inputs = ALL[name]
    torch.manual_seed(3)
    if "as published" not in name:  # ConR as published is NaN for a sample without a near target
        assert math.isfinite(float(loss(*(make() for make in inputs)).detach()))
    for position in range(len(inputs)):
        for bad in (math.nan, math.inf, -math.inf):
            for row in (2, slice(None)):
                tensors = [make() for make in inputs]
                part = tensors[position]
                part[(row, 1) if part.dim() == 2 else row] = bad
                found = float(loss(*tensors).detach())
                assert not math.isfinite(found), (position, bad, row, found)
                assert math.isnan(found) or not math.isnan(bad), (position, bad, row, found)
