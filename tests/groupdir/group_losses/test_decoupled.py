"""The three phases: what is reserved does not move, each phase minds its own third, the heads are averaged."""

import pytest
import torch
from torch.nn import functional as F

from groupdir.config.group_losses import DecoupledConfig
from groupdir.group_losses.base import GroupHead
from groupdir.group_losses.decoupled import Decoupled

COUNTS = torch.tensor([5, 60, 30, 10, 2, 1])


def made(**options: float) -> Decoupled:
    head = GroupHead(torch.nn.Identity(), torch.nn.Linear(4, 12), COUNTS)
    torch.manual_seed(0)
    return Decoupled(DecoupledConfig(name="do", **options), head)


def train(group_loss: Decoupled, epochs: int = 9) -> list[torch.Tensor]:
    """Trains it and gives the weights in use after each epoch."""
    generator, weights = torch.Generator().manual_seed(1), []
    optimizer = torch.optim.Adam(group_loss.parameters(), lr=0.1, weight_decay=0.1)
    z, group = torch.randn(60, 4, generator=generator), torch.arange(6).repeat(10)
    for epoch in range(epochs):
        group_loss.begin_epoch("fit", epoch, epochs)
        optimizer.zero_grad()
        group_loss.loss(z, z, group).backward()
        optimizer.step()
        weights.append(torch.where(group_loss.reserved, group_loss.kept, group_loss.head.weight.detach()))
    return weights


def test_thirds_are_by_training_counts() -> None:
    assert made().third.tolist() == [1, 0, 0, 1, 2, 2]


def test_what_is_reserved_does_not_move() -> None:
    group_loss = made(reserve=0.5)
    weights = train(group_loss)
    assert int(group_loss.phase) == 2
    assert int(group_loss.reserved.sum()) == 12 + 6  # half of 24, then half of the rest
    fixed = torch.isclose(weights[2], weights[8], atol=0)
    assert int(fixed.sum()) >= 12
    assert torch.equal(group_loss.snapshots[0], weights[2])
    assert torch.equal(group_loss.snapshots[1], weights[5])


def test_each_phase_counts_its_own_third() -> None:
    group_loss, z = made(others=0), torch.randn(2, 4)
    error = F.cross_entropy(group_loss.head(z), torch.tensor([1, 5]), reduction="none")
    for epoch, expected in ((0, error[0]), (8, error[1])):
        group_loss.begin_epoch("fit", epoch, 9)
        assert float(group_loss.loss(z, z, torch.tensor([1, 5])).detach()) == pytest.approx(float(expected.detach()))


def test_logits_are_the_mean_of_the_heads() -> None:
    group_loss, z = made(), torch.randn(3, 4)
    assert torch.allclose(group_loss.logits(z, z), group_loss.head(z))
    train(group_loss)
    heads = [F.linear(z, weight, bias) for weight, bias in zip(group_loss.snapshots, group_loss.biases, strict=True)]
    present = torch.where(group_loss.reserved, group_loss.kept, group_loss.head.weight)
    heads.append(F.linear(z, present, group_loss.head.bias))
    assert torch.allclose(group_loss.logits(z, z), torch.stack(heads).mean(0), atol=1e-6)


def test_a_pretraining_is_no_phase() -> None:
    group_loss = made()
    group_loss.begin_epoch("pretrain", 8, 9)
    assert int(group_loss.phase) == 0
