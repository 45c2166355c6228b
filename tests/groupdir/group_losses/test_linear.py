"""Soft labels, cross-entropy and logit adjustment as group losses: each is its own loss of the layer's logits."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from groupdir.config.group_losses import CEConfig, LogitAdjustedConfig, SoftConfig
from groupdir.group_losses.base import GroupHead, GroupLoss
from groupdir.group_losses.linear import CE, LogitAdjusted, Soft
from groupdir.losses import logit_adjusted_loss, soft_label_loss

COUNTS = torch.tensor([60, 30, 10])
LOGITS = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
GROUP = torch.tensor([0, 1, 2, 0, 1, 2])
HEAD = GroupHead(nn.Identity(), nn.Linear(4, 6), COUNTS)


@pytest.mark.parametrize(
    ("group_loss", "expected"),
    [
        (Soft(SoftConfig(name="soft", beta=2), HEAD), soft_label_loss(LOGITS, GROUP, 2.0)),
        (CE(CEConfig(name="ce"), HEAD), F.cross_entropy(LOGITS, GROUP)),
        (
            LogitAdjusted(LogitAdjustedConfig(name="logit_adjusted", tau=0.5), HEAD),
            logit_adjusted_loss(LOGITS, GROUP, COUNTS, 0.5),
        ),
    ],
)
def test_each_is_its_loss(group_loss: GroupLoss, expected: torch.Tensor) -> None:
    z = torch.zeros(6, 4)
    assert float(group_loss.loss(z, LOGITS, GROUP)) == pytest.approx(float(expected))
    assert group_loss.logits(z, LOGITS) is LOGITS
    assert group_loss.predictors() == (HEAD.encoder, HEAD.layer)
    assert not list(group_loss.parameters()), "the trained networks are modules of the method, not of the group loss"
