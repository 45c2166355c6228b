"""Focal-R against its formula, with the powers below 1 whose slope at 0 is infinite."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from groupdir.losses import focal_loss

OPTIONS = [(base, activation) for base in ("l1", "mse") for activation in ("sigmoid", "tanh")]
every_kind = pytest.mark.parametrize(("base", "activation"), OPTIONS)


def loss_by_loops(
    prediction: list[float], y: list[float], base: str, beta: float, gamma: float, activation: str, weight: list[float]
) -> float:
    total = 0.0
    for p, t, w in zip(prediction, y, weight, strict=True):
        error = abs(p - t)
        share = math.tanh(beta * error) if activation == "tanh" else 2 / (1 + math.exp(-beta * error)) - 1
        total += w * error ** (1 if base == "l1" else 2) * share**gamma
    return total / len(y)


@every_kind
@given(
    batch=st.lists(st.tuples(st.floats(-30, 30), st.floats(-30, 30), st.floats(0, 3)), min_size=1, max_size=6),
    beta=st.sampled_from([0.2, 1.0, 20.0]),
    gamma=st.sampled_from([0.0, 0.5, 1.0, 2.0]),
)
def test_value_is_the_definition(
    base: str, activation: str, batch: list[tuple[float, float, float]], beta: float, gamma: float
) -> None:
    prediction, y, weight = map(list, zip(*batch, strict=True))
    tensors = [torch.tensor(part, dtype=torch.float64) for part in (prediction, y, weight)]
    options = {"base": base, "beta": beta, "gamma": gamma, "activation": activation}
    value = focal_loss(*tensors[:2], weight=tensors[2], **options)  # type: ignore[arg-type]
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(loss_by_loops(prediction, y, weight=weight, **options), rel=1e-9, abs=1e-6)  # type: ignore[arg-type]
    ones = [1.0] * len(y)
    plain = focal_loss(*tensors[:2], **options)  # type: ignore[arg-type]
    assert plain.item() == pytest.approx(loss_by_loops(prediction, y, weight=ones, **options), rel=1e-9, abs=1e-6)  # type: ignore[arg-type]


def test_values_by_hand() -> None:
    two, zero = torch.tensor([2.0]), torch.tensor([0.0])
    assert focal_loss(two, zero, beta=0.5, activation="tanh").item() == pytest.approx(2 * math.tanh(1))
    assert focal_loss(two, zero, beta=0.5).item() == pytest.approx(2 * (2 / (1 + math.exp(-1)) - 1))
    assert focal_loss(two, zero, base="mse", beta=math.log(3) / 2, gamma=2).item() == pytest.approx(4 * 0.25)


@every_kind
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_gradcheck(base: str, activation: str, gamma: float) -> None:
    prediction = torch.tensor([3.0, -1.0, 0.2, 40.0], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([1.0, 2.0, 0.1, 0.0], dtype=torch.float64)
    weight = torch.tensor([1.0, 0.0, 2.0, 0.5], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda p: focal_loss(p, y, base=base, gamma=gamma, activation=activation, weight=weight),  # type: ignore[arg-type]
        prediction,
    )


@every_kind
@pytest.mark.parametrize("gamma", [0.0, 0.1, 0.5, 1.0, 2.0])
def test_errors_of_nothing_and_of_almost_nothing_have_finite_gradients(
    base: str, activation: str, gamma: float
) -> None:
    y = torch.tensor([5.0, 0.0, 0.0, 0.0, 0.0])
    prediction = torch.tensor([5.0, 1e-44, 1e-38, 1e-20, 1e30], requires_grad=True)
    if base == "mse":
        prediction = torch.tensor([5.0, 1e-44, 1e-38, 1e-20, 1e15], requires_grad=True)
    value = focal_loss(prediction, y, base=base, gamma=gamma, activation=activation)  # type: ignore[arg-type]
    (gradient,) = torch.autograd.grad(value, prediction)
    assert value.isfinite()
    assert gradient.isfinite().all()
    assert gradient[0] == 0


def test_small_errors_keep_their_digits_in_float32() -> None:
    """2 sigmoid(x) - 1 has one digit left at x = 1e-6."""
    prediction = torch.tensor([1e-5])
    expected = loss_by_loops([prediction.item()], [0.0], "l1", 0.2, 1.0, "tanh", [1.0]) / 2
    assert focal_loss(prediction, torch.zeros(1)).item() == pytest.approx(expected, rel=1e-6)


@every_kind
def test_half_precision_is_calculated_in_float32_and_an_empty_batch_is_zero(base: str, activation: str) -> None:
    prediction, y = torch.tensor([1.5, 3.0, -2.0]).to(torch.bfloat16), torch.tensor([1.0, 7.0, -2.0])
    expected = focal_loss(prediction.float(), y, base=base, activation=activation)  # type: ignore[arg-type]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert focal_loss(prediction, y, base=base, activation=activation) == expected  # type: ignore[arg-type]
    assert focal_loss(torch.zeros(0), torch.zeros(0), base=base, activation=activation) == 0  # type: ignore[arg-type]


def test_ten_steps_mend_the_large_error_first() -> None:
    prediction = torch.nn.Parameter(torch.tensor([1.0, 20.0]))
    optimizer = torch.optim.SGD([prediction], lr=0.5)
    for _ in range(10):
        optimizer.zero_grad()
        focal_loss(prediction, torch.zeros(2)).backward()
        optimizer.step()
    moved = torch.tensor([1.0, 20.0]) - prediction.detach()
    assert moved[1] > 2 * moved[0] > 0


P = torch.zeros(3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: focal_loss(P[:, None], P), r"prediction must be a floating tensor of shape \(B,\)"),
        (lambda: focal_loss(P, P[:2]), r"y must be a real tensor of shape \(3,\)"),
        (lambda: focal_loss(P, P, base="l2"), "base must be one of l1, mse, got 'l2'"),  # type: ignore[arg-type]
        (lambda: focal_loss(P, P, activation="relu"), "activation must be one of sigmoid, tanh"),  # type: ignore[arg-type]
        (lambda: focal_loss(P, P, beta=0.0), "beta must be > 0"),
        (lambda: focal_loss(P, P, gamma=-1.0), "gamma must be >= 0"),
        (lambda: focal_loss(P, P, weight=torch.ones(2)), r"weight must have shape \(3,\)"),
        (lambda: focal_loss(P, P, weight=torch.tensor([1.0, math.nan, 1.0])), "weight must be >= 0"),
    ],
)
def test_mistakes_are_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
