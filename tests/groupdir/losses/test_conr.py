"""ConR against its formula in loops, in float64; and the batches in which the published one divides zero by zero."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from groupdir.losses import conr_loss


def loss_by_loops(
    z: Tensor,
    y: list[float],
    prediction: list[float],
    window: float,
    eta: float,
    temperature: float,
    weight: list[float],
    count_others: bool = True,
) -> Tensor:
    """The formula word by word."""
    batch, total = range(len(y)), z.new_zeros(())
    s = [[z[i] @ z[j] / (z[i].norm() * z[j].norm()) / temperature for j in batch] for i in batch]
    for i in batch:
        near = [j for j in batch if j != i and abs(y[i] - y[j]) <= window]
        mistaken = [j for j in batch if abs(y[i] - y[j]) > window and abs(prediction[i] - prediction[j]) <= window]
        if not near or not mistaken:
            continue
        denominator = sum(s[i][j].exp() for j in near) + (len(y) - len(near) if count_others else 0)
        denominator += sum(weight[i] * math.exp(eta * abs(y[i] - y[j])) * s[i][j].exp() for j in mistaken)
        total = total + weight[i] * sum(denominator.log() - s[i][j] for j in near) / len(near)
    return total / len(y)


def batch_of(batch: int, features: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    z = torch.randn(batch, features, dtype=torch.float64, generator=draw)
    y = torch.randint(6, (batch,), generator=draw).double()
    prediction = y + 2 * torch.randn(batch, dtype=torch.float64, generator=draw)
    return z, y, prediction, torch.rand(batch, dtype=torch.float64, generator=draw) + 0.1


@settings(max_examples=40)
@given(
    batch=st.integers(1, 8),
    window=st.sampled_from([0.0, 1.0, 2.5]),
    eta=st.sampled_from([0.0, 0.01, 0.5]),
    temperature=st.sampled_from([0.07, 1.0]),
    weighted=st.booleans(),
    count_others=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_value_and_gradient_are_the_definition(
    batch: int, window: float, eta: float, temperature: float, weighted: bool, count_others: bool, seed: int
) -> None:
    z, y, prediction, weight = batch_of(batch, 3, seed)
    z.requires_grad_()
    options = {"window": window, "eta": eta, "temperature": temperature, "count_others": count_others}
    value = conr_loss(z, y, prediction, **options, weight=weight if weighted else None)  # type: ignore[arg-type]
    plain = weight.tolist() if weighted else [1.0] * batch
    expected = loss_by_loops(z, y.tolist(), prediction.tolist(), weight=plain, **options)  # type: ignore[arg-type]
    assert value.dtype == torch.float64
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-14)
    if expected.requires_grad:
        got, slope = torch.autograd.grad(value, z)[0], torch.autograd.grad(expected, z)[0]
        torch.testing.assert_close(got, slope, rtol=1e-9, atol=1e-11)
        if not torch.isnan(value):
            published = conr_loss(z, y, prediction, **options, weight=weight if weighted else None, as_published=True)  # type: ignore[arg-type]
            lonely = (((y[:, None] - y).abs() <= window).sum(1) == 1).any()
            assert bool(published.isnan()) == bool(lonely)
            if not lonely:
                torch.testing.assert_close(published, value)


def test_a_value_by_hand() -> None:
    """Two near samples, a third that is predicted between them: log D - s with D = e + 2 + e^(0.01 d)."""
    z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    y, prediction = torch.tensor([0.0, 1.0, 5.0]), torch.tensor([0.0, 1.0, 0.5])
    by_hand = sum(math.log(math.e + 2 + math.exp(0.01 * d)) - 1 for d in (5, 4)) / 3
    assert conr_loss(z, y, prediction, temperature=1.0).item() == pytest.approx(by_hand, rel=1e-12)
    without = sum(math.log(math.e + math.exp(0.01 * d)) - 1 for d in (5, 4)) / 3
    assert conr_loss(z, y, prediction, temperature=1.0, count_others=False).item() == pytest.approx(without, rel=1e-12)


def test_gradcheck() -> None:
    z, y, prediction, weight = batch_of(7, 3, seed=1)
    assert (y[:, None] == y).sum() > 7
    for count_others in (True, False):
        assert torch.autograd.gradcheck(
            lambda x, k=count_others: conr_loss(x, y, prediction, temperature=0.5, weight=weight, count_others=k),
            z.clone().requires_grad_(),
        )


def test_a_sample_without_a_near_target_contributes_nothing() -> None:
    z, y = batch_of(4, 3, seed=2)[0].requires_grad_(), torch.tensor([0.0, 0.5, 30.0, 90.0])
    prediction = torch.tensor([0.0, 0.3, 0.6, 0.9])
    value = conr_loss(z, y, prediction)
    (gradient,) = torch.autograd.grad(value, z)
    assert value > 0
    assert gradient.isfinite().all()
    assert conr_loss(z, y, prediction, as_published=True).isnan(), "the published 0 / 0"
    views = [torch.cat([z, z + 0.1]), y.repeat(2), prediction.repeat(2)]
    torch.testing.assert_close(conr_loss(*views, as_published=True), conr_loss(*views))


@pytest.mark.parametrize("batch", [0, 1, 2])
def test_tiny_batches_and_equal_labels_give_zero(batch: int) -> None:
    z, _, prediction, _ = batch_of(batch, 3, seed=3)
    z.requires_grad_()
    value = conr_loss(z, torch.full((batch,), 7.0), prediction)
    (gradient,) = torch.autograd.grad(value, z)
    assert value == 0
    assert gradient.eq(0).all()


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("temperature", [0.005, 0.07, 5.0])
def test_float32_keeps_its_digits_at_the_extremes(scale: float, temperature: float) -> None:
    z, y, prediction, weight = batch_of(12, 6, seed=4)
    z = z.float().double()
    z[2] = z[7] = z[0].clone()
    parameter = (scale * z).float().requires_grad_()
    wide = z.clone().requires_grad_()
    value = conr_loss(parameter, 1000 * y, prediction, window=1.0, temperature=temperature, weight=weight)
    expected = conr_loss(wide, 1000 * y, prediction, window=1.0, temperature=temperature, weight=weight)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected.item(), rel=2e-6 / min(temperature, 1))
    (gradient,) = torch.autograd.grad(value, parameter)
    (slope,) = torch.autograd.grad(expected, wide)
    assert (scale * gradient.double() - slope).norm() <= 1e-4 * slope.norm()


def test_zero_features_have_no_gradient() -> None:
    _, y, prediction, _ = batch_of(6, 3, seed=5)
    z = torch.zeros(6, 3, requires_grad=True)
    value = conr_loss(z, y, prediction)
    (gradient,) = torch.autograd.grad(value, z)
    assert value.isfinite()
    assert gradient.eq(0).all()


def test_targets_exactly_a_window_apart_are_near() -> None:
    """0.3 - 0.2 is more than 0.1 in float32, 0.2 - 0.1 is not."""
    z, tenths = batch_of(6, 3, seed=6)[0].float(), torch.tensor([1, 2, 3, 4, 5, 26])
    prediction = torch.tensor([0.1, 0.9, 0.2, 0.8, 0.3, 0.2])
    scores = conr_loss(z, tenths / 10, prediction / 10, window=0.1, eta=0.1)
    whole = conr_loss(z, tenths, prediction, window=1, eta=0.01)
    torch.testing.assert_close(scores, whole)
    divided = conr_loss(z, (tenths / 10).float() / 0.1, prediction, window=1, eta=0.01)
    torch.testing.assert_close(divided, whole)


def test_predictions_have_no_gradient_and_weights_of_zero_are_allowed() -> None:
    z, y, prediction, weight = batch_of(8, 3, seed=7)
    prediction.requires_grad_()
    z.requires_grad_()
    weight[::2] = 0
    value = conr_loss(z, y, prediction, weight=weight)
    assert torch.autograd.grad(value, prediction, allow_unused=True, retain_graph=True) == (None,)
    assert torch.autograd.grad(value, z)[0].isfinite().all()


def test_autocast_and_half_precision_are_calculated_in_float32() -> None:
    z, y, prediction, _ = batch_of(16, 8, seed=8)
    z = z.to(torch.bfloat16)
    expected = conr_loss(z.float(), y, prediction)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert conr_loss(z, y, prediction) == expected


def test_the_order_of_the_batch_and_rotations_change_nothing() -> None:
    z, y, prediction, weight = batch_of(9, 4, seed=9)
    value, order = conr_loss(z, y, prediction, weight=weight), torch.randperm(9)
    permuted = conr_loss(z[order], y[order], prediction[order], weight=weight[order])
    rotation = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64)).Q
    torch.testing.assert_close(permuted, value)
    torch.testing.assert_close(conr_loss(3 * z @ rotation, y + 5, prediction - 2, weight=weight), value)


def test_ten_steps_part_mistaken_neighbours() -> None:
    z = torch.nn.Parameter(torch.tensor([[1.0, 0.1], [1.0, 0.0], [1.0, -0.1]]))
    y, prediction = torch.tensor([0.0, 0.5, 40.0]), torch.zeros(3)
    before = torch.cosine_similarity(z[0], z[2], dim=0).item()
    optimizer = torch.optim.SGD([z], lr=0.05)
    for _ in range(10):
        optimizer.zero_grad()
        conr_loss(z, y, prediction).backward()
        optimizer.step()
    assert torch.cosine_similarity(z[0], z[2], dim=0).item() < before - 0.02
    assert torch.cosine_similarity(z[0], z[1], dim=0).item() > 0.99


Z, Y = torch.zeros(3, 2), torch.zeros(3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: conr_loss(Y, Y, Y), r"z must be a floating tensor of shape \(B, D\)"),
        (lambda: conr_loss(Z, Y[:2], Y), r"y must be a real tensor of shape \(3,\)"),
        (lambda: conr_loss(Z, Y, Z[:, :1]), r"prediction must be a floating tensor of shape \(B,\)"),
        (lambda: conr_loss(Z, Y, Y[:2]), r"prediction must be a real tensor of shape \(3,\)"),
        (lambda: conr_loss(Z, Y, Y, window=-1), "window must be >= 0"),
        (lambda: conr_loss(Z, Y, Y, eta=math.nan), "eta must be >= 0"),
        (lambda: conr_loss(Z, Y, Y, temperature=0), "temperature must be > 0"),
        (lambda: conr_loss(Z, Y, Y, weight=torch.ones(2)), r"weight must have shape \(3,\)"),
        (lambda: conr_loss(Z, Y, Y, weight=-torch.ones(3)), "weight must be >= 0"),
    ],
)
def test_mistakes_are_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
