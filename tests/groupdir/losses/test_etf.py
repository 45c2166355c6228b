"""The simplex and the dot-regression loss: geometry, plain loops, and where the length of a feature is held still."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from groupdir.losses import etf_dot_regression_loss, etf_lengths, simplex_etf


def loss_by_loops(z: Tensor, group: list[int], etf: Tensor, penalty: float) -> float:
    total = 0.0
    for row, g in zip(z.tolist(), group, strict=True):
        m = etf[:, g].tolist()
        length = math.sqrt(math.fsum(v * v for v in row))
        dot, reach = math.fsum(a * b for a, b in zip(row, m, strict=True)), math.sqrt(math.fsum(v * v for v in m))
        total += (dot - reach * length) ** 2 / (2 * length) + penalty * length
    return total / len(group)


def batch_of(batch: int, dim: int, groups: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    z = torch.randn(batch, dim, dtype=torch.float64, generator=draw)
    return z, torch.randint(groups, (batch,), generator=draw), simplex_etf(dim, groups, generator=draw)


@given(st.integers(2, 12), st.integers(0, 6), st.integers(0, 10**6))
def test_the_simplex_is_one(groups: int, more: int, seed: int) -> None:
    etf = simplex_etf(groups + more, groups, generator=torch.Generator().manual_seed(seed))
    expected = torch.full((groups, groups), -1 / (groups - 1), dtype=torch.float64).fill_diagonal_(1)
    assert etf.shape == (groups + more, groups)
    torch.testing.assert_close(etf.T @ etf, expected, rtol=0, atol=1e-12)
    assert torch.equal(etf, simplex_etf(groups + more, groups, generator=torch.Generator().manual_seed(seed)))


@given(st.integers(1, 6), st.integers(2, 4), st.sampled_from([0.0, 0.01, 1.0]), st.integers(0, 10**6))
def test_value_is_the_definition(batch: int, groups: int, penalty: float, seed: int) -> None:
    z, group, etf = batch_of(batch, 5, groups, seed)
    etf = etf * torch.linspace(0.5, 2, groups)
    value = etf_dot_regression_loss(z, group, etf, penalty)
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(loss_by_loops(z, group.tolist(), etf, penalty), rel=1e-11, abs=1e-14)


def test_a_value_by_hand() -> None:
    """(3, 4) in group 1 at (-1, 0): product -3, aim 5, so 8^2 / 5 / 2; the other feature is where it should be."""
    etf = torch.tensor([[1.0, -1.0], [0.0, 0.0]])
    z = torch.tensor([[1.0, 0.0], [3.0, 4.0]])
    assert etf_dot_regression_loss(z, torch.tensor([0, 1]), etf).item() == pytest.approx(64 / 5 / 2 / 2)
    assert etf_dot_regression_loss(z, torch.tensor([0, 1]), etf, 0.5).item() == pytest.approx(64 / 5 / 2 / 2 + 0.5 * 3)


def test_the_gradient_holds_the_length_still() -> None:
    z, group, etf = batch_of(4, 5, 3, seed=1)
    z.requires_grad_()
    target = etf.T[group]
    for penalty in (0.0, 0.3):
        (gradient,) = torch.autograd.grad(etf_dot_regression_loss(z, group, etf, penalty), z)
        gap = (z * target).sum(1) - z.norm(dim=1)  # the simplex has unit length
        slope = (gap / z.norm(dim=1))[:, None] * target / 4 + penalty * z / z.norm(dim=1, keepdim=True) / 4
        torch.testing.assert_close(gradient, slope)


def test_gradcheck_of_the_penalty_and_of_features_of_a_fixed_length() -> None:
    """Along the sphere the length is constant anyway, so there the gradient is the whole one."""
    z, group, etf = batch_of(3, 4, 3, seed=2)
    assert torch.autograd.gradcheck(
        lambda x: etf_dot_regression_loss(x / x.norm(dim=1, keepdim=True), group, etf), z.requires_grad_()
    )
    free, zero = torch.zeros(4, 3, dtype=torch.float64), torch.zeros(3, dtype=torch.long)
    assert torch.autograd.gradcheck(lambda x: etf_dot_regression_loss(x, zero, free, 0.7), z)


@pytest.mark.parametrize("scale", [1e-20, 1e-3, 1.0, 1e15])
def test_extreme_and_zero_features(scale: float) -> None:
    z, group, etf = batch_of(6, 5, 3, seed=3)
    z[2] = 0
    parameter = (scale * z).float().requires_grad_()
    value = etf_dot_regression_loss(parameter, group, etf)
    (gradient,) = torch.autograd.grad(value, parameter)
    expected = etf_dot_regression_loss(z, group, etf)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(scale * expected.item(), rel=1e-5)
    assert gradient.isfinite().all()
    assert gradient[2].eq(0).all()


def test_small_batches_autocast_and_half_precision() -> None:
    z, group, etf = batch_of(8, 5, 3, seed=4)
    half = z.to(torch.bfloat16)
    expected = etf_dot_regression_loss(half.float(), group, etf.float(), 0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert etf_dot_regression_loss(half, group, etf.float(), 0.1) == expected
    assert etf_dot_regression_loss(z[:0], group[:0], etf) == 0
    assert etf_dot_regression_loss(z[:1], group[:1], etf).isfinite()


def test_lengths_are_longer_for_rare_groups() -> None:
    group = torch.tensor([0, 0, 0, 0, 2, 2, 5])
    expected = [math.sqrt(7 / 3 / n) if n else 1.0 for n in (4, 0, 2, 0, 0, 1)]
    assert etf_lengths(group, 6).tolist() == pytest.approx(expected)
    assert etf_lengths(torch.zeros(0, dtype=torch.long), 3).tolist() == [1.0, 1.0, 1.0]


def test_twenty_steps_turn_features_to_their_groups() -> None:
    _, group, etf = batch_of(9, 5, 3, seed=5)
    z = torch.nn.Parameter(torch.randn(9, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(6)))
    optimizer = torch.optim.SGD([z], lr=2.0)
    for _ in range(20):
        optimizer.zero_grad()
        etf_dot_regression_loss(z, group, etf).backward()
        optimizer.step()
    assert torch.equal((z @ etf).argmax(1), group)


Z, G, M = torch.ones(2, 3), torch.tensor([0, 1]), torch.ones(3, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: simplex_etf(5, 1), "groups must be >= 2, got 1"),
        (lambda: simplex_etf(3, 4), "dim must be >= groups=4 for orthonormal columns, got 3"),
        (lambda: etf_dot_regression_loss(Z[0], G, M), r"z must be a floating tensor of shape \(B, D\)"),
        (lambda: etf_dot_regression_loss(Z, G, M.T), r"etf must be a floating tensor of shape \(3, G\)"),
        (lambda: etf_dot_regression_loss(Z, G[:1], M), r"group must have shape \(2,\)"),
        (lambda: etf_dot_regression_loss(Z, G + 1, M), r"group must lie in \[0, 2\)"),
        (lambda: etf_dot_regression_loss(Z, G, M, -1.0), "length_penalty must be >= 0"),
        (lambda: etf_lengths(G, 1), r"group must lie in \[0, 1\)"),
    ],
)
def test_mistakes_are_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
