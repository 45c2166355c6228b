"""Soft labels, cross-entropy and logit adjustment as criteria: each is its own loss, by mean or sum."""

from typing import Literal

import pytest
import torch
from torch.nn import functional as F

from groupdir.config.group_losses import DOConfig, NCConfig
from groupdir.group_losses.base import GroupHeadSpec
from groupdir.group_losses.linear import CE, LogitAdjusted, Soft
from groupdir.losses import logit_adjusted_loss, soft_label_loss

COUNTS = torch.tensor([60, 30, 10])
LOGITS = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
GROUP = torch.tensor([0, 1, 2, 0, 1, 2])


def spec(reduction: Literal["mean", "sum"] = "mean") -> GroupHeadSpec:
    return GroupHeadSpec(4, COUNTS, 2.0, 0.5, reduction, NCConfig(), DOConfig())


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_each_is_its_loss(reduction: Literal["mean", "sum"]) -> None:
    z, made = torch.zeros(6, 4), spec(reduction)
    expected = {
        Soft: soft_label_loss(LOGITS, GROUP, 2.0, reduction=reduction),
        CE: F.cross_entropy(LOGITS, GROUP, reduction=reduction),
        LogitAdjusted: logit_adjusted_loss(LOGITS, GROUP, COUNTS, 0.5, reduction=reduction),
    }
    for criterion, value in expected.items():
        assert float(criterion(made).loss(z, LOGITS, GROUP)) == pytest.approx(float(value))
        assert criterion(made).logits(z, LOGITS) is LOGITS
