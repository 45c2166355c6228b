"""RankSim against ranks by counting, its black-box gradient against the same by loops, and ties of whole numbers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import groupdir.losses.ranksim as module
from groupdir.losses import ranksim_loss


def ranks_by_counting(values: list[float], y: list[float]) -> list[float]:
    """Descending ranks over their number; of equal values the one of the larger target is first."""
    pairs = list(zip(values, y, strict=True))
    return [(1 + sum(other > own for other in pairs)) / len(pairs) for own in pairs]


def loss_by_loops(z: Tensor, y: list[float], interpolation: float, factor: float) -> tuple[float, Tensor]:
    """Value and gradient of factor x loss for distinct targets, sample by sample."""
    z = z.detach().double().clone().requires_grad_()
    number, total = len(y), 0.0
    for i in range(number):
        s = torch.stack([z[i] @ z[j] / (z[i].norm() * z[j].norm()) for j in range(number)])
        features = ranks_by_counting(s.tolist(), y)
        targets = ranks_by_counting([-abs(y[i] - other) for other in y], y)
        total += sum((a - b) ** 2 for a, b in zip(features, targets, strict=True)) / number
        slope = [factor * 2 * (a - b) / number for a, b in zip(features, targets, strict=True)]
        moved = ranks_by_counting([v + interpolation * g for v, g in zip(s.tolist(), slope, strict=True)], y)
        steps = [(b - a) / (interpolation + 1e-8) for a, b in zip(features, moved, strict=True)]
        s.backward(torch.tensor(steps, dtype=torch.float64), retain_graph=True)
    assert z.grad is not None
    return total, z.grad


def batch_of(batch: int, features: int, seed: int) -> Tensor:
    return torch.randn(batch, features, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=30)
@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, 5.0, 8.0, 8.5, -4.0]), min_size=2, max_size=7, unique=True),
    st.sampled_from([0.1, 2.0]),
    st.sampled_from([1.0, 100.0]),
    st.integers(0, 10**6),
)
def test_value_and_gradient_are_the_definition(y: list[float], interpolation: float, factor: float, seed: int) -> None:
    z = batch_of(len(y), 4, seed).requires_grad_()
    value = ranksim_loss(z, torch.tensor(y, dtype=torch.float64), interpolation=interpolation)
    (gradient,) = torch.autograd.grad(factor * value, z)
    expected, slope = loss_by_loops(z, y, interpolation, factor)
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(expected, rel=1e-12, abs=1e-15)
    torch.testing.assert_close(gradient, slope, rtol=1e-9, atol=1e-12)


def test_a_value_by_hand() -> None:
    """Targets 0, 1, 3 and features that put the first beside the last: every row has two ranks wrong by 1/3."""
    z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1]], dtype=torch.float64)
    y = torch.tensor([0.0, 1.0, 3.0])
    assert ranksim_loss(z, y).item() == pytest.approx(6 / 27)
    assert ranksim_loss(z, torch.tensor([0.0, 3.0, 1.0])).item() == 0


def test_whole_numbers_do_not_depend_on_the_order_of_the_batch() -> None:
    """Distances of whole targets tie; unstable or by position, a permutation would change the loss."""
    z, y = batch_of(12, 5, seed=1), torch.arange(12)
    expected = ranksim_loss(z, y)
    for seed in range(5):
        order = torch.randperm(12, generator=torch.Generator().manual_seed(seed))
        torch.testing.assert_close(ranksim_loss(z[order], y[order]), expected, rtol=1e-14, atol=0)


def test_float32_targets_that_are_equally_far_apart_tie() -> None:
    """0.3 - 0.2 and 0.2 - 0.1 differ in float32 and would rank the neighbours of 0.2 by rounding alone."""
    z = batch_of(3, 4, seed=2)
    tenths, whole = torch.tensor([0.25, 0.5, 0.75]), torch.tensor([1.0, 2.0, 3.0])
    assert ranksim_loss(z, tenths) == ranksim_loss(z, whole)


def test_one_sample_of_each_target_is_drawn_evenly() -> None:
    z = batch_of(6, 3, seed=3)
    y = torch.tensor([2.0, 0.0, 2.0, 5.0, 2.0, 9.0])
    possible = {ranksim_loss(z[[1, i, 3, 5]], y[[1, i, 3, 5]]).item(): i for i in (0, 2, 4)}
    assert len(possible) > 1
    generator = torch.Generator().manual_seed(0)
    drawn = [ranksim_loss(z, y, generator=generator).item() for _ in range(300)]
    assert set(drawn) == set(possible)
    times = torch.zeros(6)
    for _ in range(300):
        times[module._one_of_each(y, generator, keep_order=False)] += 1
    assert times[[1, 3, 5]].tolist() == [300, 300, 300]
    assert times[[0, 2, 4]].sum() == 300
    assert (times[[0, 2, 4]] > 60).all()


def test_the_generator_decides_and_is_not_used_in_vain() -> None:
    z, y = batch_of(20, 3, seed=4), torch.arange(20) // 3
    first, second = (ranksim_loss(z, y, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert first == second
    generator = torch.Generator().manual_seed(6)
    before = generator.get_state()
    ranksim_loss(z, torch.arange(20), generator=generator)
    assert torch.equal(generator.get_state(), before)


@pytest.mark.parametrize(("batch", "targets"), [(0, 0), (1, 1), (2, 1), (9, 1)])
def test_fewer_than_two_targets_give_zero(batch: int, targets: int) -> None:
    z = batch_of(batch, 3, seed=7).requires_grad_()
    value = ranksim_loss(z, torch.full((batch,), 4.0))
    (gradient,) = torch.autograd.grad(value, z)
    assert value == 0
    assert gradient.eq(0).all()


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_extreme_float32_features_are_finite_and_only_directions_count(scale: float) -> None:
    z = batch_of(8, 5, seed=8).float()
    z[3] = 0
    y = torch.tensor([3.0, 1.0, 4.0, 1.5, 9.0, 2.0, 6.0, 5.0])
    parameter = (scale * z).requires_grad_()
    value = ranksim_loss(parameter, y)
    (gradient,) = torch.autograd.grad(100 * value, parameter)
    assert value == ranksim_loss(z, y)
    assert gradient.isfinite().all()
    assert gradient[3].eq(0).all()


def test_autocast_and_half_precision_are_calculated_in_float32() -> None:
    z, y = batch_of(16, 8, seed=9).to(torch.bfloat16), torch.arange(16)
    expected = ranksim_loss(z.float(), y)
    assert expected.dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert ranksim_loss(z, y) == expected


def test_steps_bring_the_orders_together() -> None:
    z = torch.nn.Parameter(batch_of(8, 4, seed=10))
    y = torch.tensor([0.0, 1.1, 2.3, 3.6, 5.0, 6.5, 8.1, 9.8])
    optimizer = torch.optim.Adam([z], lr=0.05)
    start = ranksim_loss(z, y).item()
    for _ in range(150):
        optimizer.zero_grad()
        ranksim_loss(z, y).backward()
        optimizer.step()
    assert ranksim_loss(z, y).item() < start / 2


def test_as_published_keeps_the_order_of_distinct_targets() -> None:
    """Without ties there is one answer; with ties, the later sample of the batch comes first, whatever its target."""
    z = batch_of(7, 3, seed=11)
    y = torch.tensor([0.0, 1.7, 2.1, 4.4, 7.0, 7.9, 12.3])[
        torch.randperm(7, generator=torch.Generator().manual_seed(1))
    ]
    torch.testing.assert_close(ranksim_loss(z, y, as_published=True), ranksim_loss(z, y))
    tied = torch.tensor([2.0, 3.0, 1.0])
    by_hand = loss_by_position(z[:3], tied)
    assert ranksim_loss(z[:3], tied, as_published=True).item() == pytest.approx(by_hand)


def loss_by_position(z: Tensor, y: Tensor) -> float:
    unit, place = torch.nn.functional.normalize(z), list(map(float, range(len(y))))
    total = 0.0
    for i in range(len(y)):
        a = ranks_by_counting((unit @ unit[i]).tolist(), place)
        b = ranks_by_counting((-(y - y[i]).abs()).tolist(), place)
        total += sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) / len(y)
    return total


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ranksim_loss(torch.zeros(3), torch.zeros(3)), r"z must be a floating tensor of shape \(B, D\)"),
        (lambda: ranksim_loss(torch.zeros(3, 2).long(), torch.zeros(3)), "z must be a floating tensor"),
        (lambda: ranksim_loss(torch.zeros(3, 2), torch.zeros(3, 1)), r"y must be a real tensor of shape \(3,\)"),
        (lambda: ranksim_loss(torch.zeros(3, 2), torch.zeros(2)), r"y must be a real tensor of shape \(3,\)"),
        (lambda: ranksim_loss(torch.zeros(3, 2), torch.zeros(3), interpolation=0), "interpolation must be > 0"),
    ],
)
def test_mistakes_are_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
