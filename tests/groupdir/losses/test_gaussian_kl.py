"""The divergence from the standard normal against torch's own and by hand."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from groupdir.losses import gaussian_kl_loss


def batch_of(batch: int, features: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    mean = torch.randn(batch, features, dtype=torch.float64, generator=draw)
    return mean, torch.rand(batch, features, dtype=torch.float64, generator=draw) * 3 + 0.01


@pytest.mark.parametrize("seed", range(5))
def test_value_is_the_definition(seed: int) -> None:
    mean, variance = batch_of(4, 3, seed)
    total = 0.0
    for m, v in zip(mean.flatten().tolist(), variance.flatten().tolist(), strict=True):
        total += (v + m * m - 1 - math.log(v)) / 2
    value = gaussian_kl_loss(mean, variance)
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(total / 4, rel=1e-12)
    assert value.item() == pytest.approx(
        kl_divergence(Normal(mean, variance.sqrt()), Normal(0.0, 1.0)).sum().item() / 4
    )


def test_values_by_hand() -> None:
    assert gaussian_kl_loss(torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.ones(2, 2)).item() == pytest.approx(0.25)
    assert gaussian_kl_loss(torch.zeros(1, 1), torch.full((1, 1), math.e)).item() == pytest.approx((math.e - 2) / 2)


def test_gradcheck() -> None:
    mean, variance = (x.requires_grad_() for x in batch_of(3, 2, seed=7))
    assert torch.autograd.gradcheck(gaussian_kl_loss, (mean, variance))


def test_extremes_are_finite() -> None:
    mean = torch.tensor([[1e6, 0.0]], requires_grad=True)
    variance = torch.tensor([[0.0, 1e6]], requires_grad=True)
    value = gaussian_kl_loss(mean, variance)
    assert value.isfinite()
    assert all(g.isfinite().all() for g in torch.autograd.grad(value, (mean, variance)))
    assert gaussian_kl_loss(torch.zeros(0, 3), torch.zeros(0, 3)) == 0


def test_half_precision_is_calculated_in_float32() -> None:
    mean, variance = (x.to(torch.bfloat16) for x in batch_of(5, 4, seed=8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = gaussian_kl_loss(mean, variance)
    assert value.dtype == torch.float32
    assert value == gaussian_kl_loss(mean.float(), variance.float())


def test_ten_steps_go_to_the_standard_normal() -> None:
    mean, log_variance = torch.nn.Parameter(torch.full((1, 2), 2.0)), torch.nn.Parameter(torch.full((1, 2), -2.0))
    optimizer = torch.optim.SGD([mean, log_variance], lr=0.3)
    for _ in range(10):
        optimizer.zero_grad()
        gaussian_kl_loss(mean, log_variance.exp()).backward()
        optimizer.step()
    assert mean.abs().max() < 0.2
    assert log_variance.abs().max() < 1


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match=r"mean must be a floating tensor of shape \(B, D\)"):
        gaussian_kl_loss(torch.zeros(3), torch.zeros(3))
    with pytest.raises(ValueError, match=r"variance must be a floating tensor of shape \(3, 2\)"):
        gaussian_kl_loss(torch.zeros(3, 2), torch.zeros(3, 1))
