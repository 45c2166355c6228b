"""The averaged model: equal to the trained one before its start, the exponential average after it."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from groupdir.config.group_losses import ReBATConfig
from groupdir.group_losses.base import GroupHead
from groupdir.group_losses.weight_average import ReBAT


def made(**options: float) -> tuple[ReBAT, nn.Module, nn.Linear]:
    torch.manual_seed(0)
    encoder, layer = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), nn.Linear(4, 6)
    head = GroupHead(encoder, layer, torch.ones(3, dtype=torch.int64))
    return ReBAT(ReBATConfig(name="rebat", **options), head), encoder, layer


def test_before_the_start_it_is_the_trained_one() -> None:
    average, encoder, head = made(start=0.5)
    average.begin_epoch("fit", 4, 10)
    with torch.no_grad():
        head.weight += 1
    average.end_step()
    encoder.eval()
    x = torch.randn(5, 3)
    average_encoder, average_layer = average.predictors()
    assert torch.allclose(average_layer(average_encoder(x)), head(encoder(x)))
    assert float(average.divergence(head(encoder(x))[:, :3], x).detach()) == 0


def test_after_the_start_it_averages_weights_and_running_statistics() -> None:
    average, encoder, head = made(start=0.5, decay=0.75)
    average.begin_epoch("fit", 5, 10)
    old, norm = head.weight.detach().clone(), encoder[1]  # type: ignore[index]
    with torch.no_grad():
        head.weight += 1
        norm.running_mean += 4
    average.end_step()
    assert torch.allclose(average.layer.weight, old + 0.25)
    assert torch.allclose(average.encoder[1].running_mean, torch.ones(4))  # type: ignore[index]


def test_divergence_by_hand_and_its_gradient() -> None:
    average, encoder, head = made(start=0, beta=2)
    average.begin_epoch("fit", 0, 10)
    encoder.eval()
    x = torch.randn(5, 3)
    logits = torch.randn(5, 3, requires_grad=True)
    aim = head(encoder(x))[:, :3].softmax(1).detach()
    expected = 2 * (aim * (aim.log() - logits.log_softmax(1))).sum() / 5
    assert float(average.divergence(logits, x).detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    group = torch.tensor([0, 1, 2, 0, 1])
    whole = average.loss(x, logits, group, (x,)).detach()
    assert float(whole) == pytest.approx(float((F.cross_entropy(logits, group) + expected).detach()), rel=1e-5)
    (slope,) = torch.autograd.grad(average.divergence(logits, x), logits)
    assert torch.allclose(slope, 2 * (F.softmax(logits, 1) - aim) / 5, atol=1e-6)


def test_it_is_not_trained_and_always_in_evaluation_mode() -> None:
    average, _, _ = made()
    assert not any(parameter.requires_grad for parameter in average.parameters())
    average.train()
    assert not any(module.training for module in average.modules())
