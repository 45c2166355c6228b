"""The three phases: what is reserved does not move, each phase minds its own third, the heads are averaged."""

import pytest
import torch
from torch.nn import functional as F

from groupdir.config.group_losses import DOConfig, NCConfig
from groupdir.group_losses.base import GroupHeadSpec
from groupdir.group_losses.decoupled import Decoupled

COUNTS = torch.tensor([5, 60, 30, 10, 2, 1])


def made(**options: float) -> Decoupled:
    torch.manual_seed(0)
    return Decoupled(GroupHeadSpec(4, COUNTS, 1.0, 1.0, "mean", NCConfig(), DOConfig(**options)))


def train(criterion: Decoupled, epochs: int = 9) -> list[torch.Tensor]:
    """Trains it and gives the weights in use after each epoch."""
    generator, weights = torch.Generator().manual_seed(1), []
    optimizer = torch.optim.Adam(criterion.parameters(), lr=0.1, weight_decay=0.1)
    z, group = torch.randn(60, 4, generator=generator), torch.arange(6).repeat(10)
    for epoch in range(epochs):
        criterion.begin_epoch("fit", epoch, epochs)
        optimizer.zero_grad()
        criterion.loss(z, z, group).backward()
        optimizer.step()
        weights.append(torch.where(criterion.reserved, criterion.kept, criterion.head.weight.detach()))
    return weights


def test_thirds_are_by_training_counts() -> None:
    assert made().third.tolist() == [1, 0, 0, 1, 2, 2]


def test_what_is_reserved_does_not_move() -> None:
    criterion = made(reserve=0.5)
    weights = train(criterion)
    assert int(criterion.phase) == 2
    assert int(criterion.reserved.sum()) == 12 + 6  # half of 24, then half of the rest
    fixed = torch.isclose(weights[2], weights[8], atol=0)
    assert int(fixed.sum()) >= 12
    assert torch.equal(criterion.snapshots[0], weights[2])
    assert torch.equal(criterion.snapshots[1], weights[5])


def test_each_phase_counts_its_own_third() -> None:
    criterion, z = made(others=0), torch.randn(2, 4)
    error = F.cross_entropy(criterion.head(z), torch.tensor([1, 5]), reduction="none")
    for epoch, expected in ((0, error[0]), (8, error[1])):
        criterion.begin_epoch("fit", epoch, 9)
        assert float(criterion.loss(z, z, torch.tensor([1, 5])).detach()) == pytest.approx(float(expected.detach()))


def test_logits_are_the_mean_of_the_heads() -> None:
    criterion, z = made(), torch.randn(3, 4)
    assert torch.allclose(criterion.logits(z, z), criterion.head(z))
    train(criterion)
    heads = [F.linear(z, weight, bias) for weight, bias in zip(criterion.snapshots, criterion.biases, strict=True)]
    present = torch.where(criterion.reserved, criterion.kept, criterion.head.weight)
    heads.append(F.linear(z, present, criterion.head.bias))
    assert torch.allclose(criterion.logits(z, z), torch.stack(heads).mean(0), atol=1e-6)


def test_a_pretraining_is_no_phase() -> None:
    criterion = made()
    criterion.begin_epoch("pretrain", 8, 9)
    assert int(criterion.phase) == 0
