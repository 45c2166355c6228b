"""Losses of the group head against plain loops in float64 and torch's cross-entropy."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from groupdir.losses import logit_adjusted_loss, soft_label_loss


def soft_by_loops(logits: Tensor, group: list[int], beta: float) -> float:
    """Eq. 4 with its minus sign, word by word."""
    total = 0.0
    for row, g in zip(logits.tolist(), group, strict=True):
        mass = [math.exp(-beta * abs(k - g)) for k in range(len(row))]
        log_norm = math.log(math.fsum(math.exp(h - max(row)) for h in row)) + max(row)
        total -= math.fsum(m / math.fsum(mass) * (h - log_norm) for m, h in zip(mass, row, strict=True))
    return total


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, list[int]]:
    groups = draw(st.integers(1, 12))
    batch = draw(st.integers(1, 6))
    logits = draw(
        st.lists(st.lists(st.floats(-50, 50), min_size=groups, max_size=groups), min_size=batch, max_size=batch)
    )
    group = draw(st.lists(st.integers(0, groups - 1), min_size=batch, max_size=batch))
    return torch.tensor(logits, dtype=torch.float64), group


@given(batches(), st.floats(0.1, 8))
def test_soft_loss_is_the_definition(batch: tuple[Tensor, list[int]], beta: float) -> None:
    logits, group = batch
    target = torch.tensor(group)
    expected = soft_by_loops(logits, group, beta)
    value = soft_label_loss(logits, target, beta, reduction="sum")
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert soft_label_loss(logits, target, beta).item() == pytest.approx(expected / len(group), rel=1e-9, abs=1e-12)
    mirrored = soft_label_loss(logits.flip(1), logits.shape[1] - 1 - target, beta, reduction="sum")
    shifted = soft_label_loss(logits + 3.7, target, beta, reduction="sum")
    torch.testing.assert_close(mirrored, value, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(shifted, value, rtol=1e-9, atol=1e-12)


@given(batches())
def test_a_steep_soft_label_is_plain_cross_entropy(batch: tuple[Tensor, list[int]]) -> None:
    logits, group = batch
    target = torch.tensor(group)
    torch.testing.assert_close(soft_label_loss(logits, target, 60.0), F.cross_entropy(logits, target))


@given(batches(), st.floats(0, 3), st.data())
def test_logit_adjustment_is_cross_entropy_on_shifted_logits(
    batch: tuple[Tensor, list[int]], tau: float, data: st.DataObject
) -> None:
    logits, group = batch
    groups = logits.shape[1]
    counts = data.draw(st.lists(st.integers(1, 5000), min_size=groups, max_size=groups))
    prior = [tau * math.log(n / sum(counts)) for n in counts]
    total = 0.0
    for row, g in zip(logits.tolist(), group, strict=True):
        moved = [h + p for h, p in zip(row, prior, strict=True)]
        total += math.log(math.fsum(math.exp(h - max(moved)) for h in moved)) + max(moved) - moved[g]
    value = logit_adjusted_loss(logits, torch.tensor(group), counts, tau, reduction="sum")
    assert value.item() == pytest.approx(total, rel=1e-9, abs=1e-12)
    as_tensor = logit_adjusted_loss(logits, torch.tensor(group), torch.tensor(counts), tau)
    assert as_tensor.item() == pytest.approx(total / len(group), rel=1e-9, abs=1e-12)
    if tau == 0:
        torch.testing.assert_close(as_tensor, F.cross_entropy(logits, torch.tensor(group)))


def test_weights_multiply_and_the_mean_is_over_the_batch() -> None:
    logits, group, weight = (
        torch.randn(3, 4, dtype=torch.float64),
        torch.tensor([0, 3, 1]),
        torch.tensor([1.0, 0.0, 2.0]),
    )
    for one, all_of in (
        (
            lambda k: soft_label_loss(logits[k : k + 1], group[k : k + 1], 0.7),
            lambda **kw: soft_label_loss(logits, group, 0.7, **kw),
        ),
        (
            lambda k: logit_adjusted_loss(logits[k : k + 1], group[k : k + 1], [5, 1, 2, 9]),
            lambda **kw: logit_adjusted_loss(logits, group, [5, 1, 2, 9], **kw),
        ),
    ):
        expected = one(0) + 2 * one(2)
        torch.testing.assert_close(all_of(weight=weight, reduction="sum"), expected)
        torch.testing.assert_close(all_of(weight=weight), expected / 3)


def test_gradcheck() -> None:
    logits = torch.randn(4, 5, dtype=torch.float64, requires_grad=True)
    group, weight = torch.tensor([0, 4, 2, 2]), torch.rand(4, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda h: soft_label_loss(h, group, 0.8, weight=weight), logits)
    assert torch.autograd.gradcheck(
        lambda h: logit_adjusted_loss(h, group, [3, 1, 4, 1, 5], 1.5, weight=weight), logits
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_autocast_are_calculated_in_float32(dtype: torch.dtype) -> None:
    logits, group = (10 * torch.randn(6, 8)).to(dtype), torch.arange(6)
    for call in (lambda h: soft_label_loss(h, group, 1.0), lambda h: logit_adjusted_loss(h, group, [1] * 8)):
        expected = call(logits.float())
        assert call(logits).dtype == torch.float32
        assert call(logits) == expected
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert call(logits) == expected


def test_extremes_are_finite() -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    for call in (
        lambda h: soft_label_loss(h, torch.tensor([1]), 1.0),
        lambda h: logit_adjusted_loss(h, torch.tensor([1]), [1, 1, 9]),
    ):
        value = call(logits)
        (gradient,) = torch.autograd.grad(value, logits)
        assert value.isfinite()
        assert gradient.isfinite().all()
    empty = torch.zeros(0, 3)
    assert soft_label_loss(empty, torch.zeros(0).long(), 1.0) == 0
    assert logit_adjusted_loss(empty, torch.zeros(0).long(), [1, 2, 3]) == 0
    assert soft_label_loss(torch.randn(4, 1), torch.zeros(4).long(), 1.0) == 0


def test_ten_steps_learn_the_soft_label() -> None:
    """Direction: the head goes to the label's own shape, the minimum of the cross-entropy."""
    logits = torch.zeros(1, 5, requires_grad=True)
    group = torch.tensor([1])
    optimizer = torch.optim.SGD([logits], lr=5.0)
    for _ in range(10):
        optimizer.zero_grad()
        soft_label_loss(logits, group, 1.0).backward()
        optimizer.step()
    learned = logits.detach().softmax(1)[0]
    assert int(learned.argmax()) == 1
    assert learned[2] > learned[3] > learned[4]


def test_ten_steps_of_adjustment_favour_the_rare_group() -> None:
    head = {}
    for tau in (0.0, 1.0):
        logits = torch.zeros(2, requires_grad=True)
        optimizer = torch.optim.SGD([logits], lr=1.0)
        group = torch.tensor([0] * 9 + [1])
        for _ in range(10):
            optimizer.zero_grad()
            logit_adjusted_loss(logits.expand(10, 2), group, [9, 1], tau).backward()
            optimizer.step()
        head[tau] = (logits[1] - logits[0]).item()
    assert head[0.0] < -0.5
    assert head[1.0] == pytest.approx(0, abs=1e-5), "with the frequencies given, nothing is left for the head to learn"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: soft_label_loss(torch.zeros(3), torch.zeros(3).long(), 1.0),
            r"logits must be floating of shape \(B, G\)",
        ),
        (lambda: soft_label_loss(torch.zeros(3, 2), torch.zeros(2).long(), 1.0), r"group must have shape \(3,\)"),
        (lambda: soft_label_loss(torch.zeros(3, 2), torch.zeros(3), 1.0), "whole numbers"),
        (lambda: soft_label_loss(torch.zeros(1, 2), torch.tensor([2]), 1.0), r"must lie in \[0, 2\)"),
        (lambda: logit_adjusted_loss(torch.zeros(1, 2), torch.tensor([-100]), [1, 1]), r"must lie in \[0, 2\)"),
        (lambda: soft_label_loss(torch.zeros(1, 2), torch.tensor([1]), -1.0), "beta must be > 0"),
        (lambda: soft_label_loss(torch.zeros(1, 2), torch.tensor([1]), 1.0, reduction="none"), "one of mean, sum"),
        (lambda: soft_label_loss(torch.zeros(1, 2), torch.tensor([1]), 1.0, weight=torch.ones(2)), "weight must have"),
        (lambda: logit_adjusted_loss(torch.zeros(1, 2), torch.tensor([1]), [3, 0]), r"less in the groups \[1\]"),
        (
            lambda: logit_adjusted_loss(torch.zeros(1, 2), torch.tensor([1]), [3, 1, 1]),
            r"counts must have shape \(2,\)",
        ),
        (lambda: logit_adjusted_loss(torch.zeros(1, 2), torch.tensor([1]), [3, 1], -0.5), "tau must be >= 0"),
    ],
)
def test_mistakes_are_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
