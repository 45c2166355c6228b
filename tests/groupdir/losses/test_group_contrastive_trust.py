"""A fused result is used once it has agreed with PyTorch's own operations, and never again if it keeps disagreeing."""

import warnings

import pytest
import torch
from torch import Tensor

from groupdir.losses import group_contrastive as module
from groupdir.losses import group_contrastive_loss
from groupdir.losses.group_contrastive_trust import MOST_FAILURES, Trust, agree

Z, GROUP = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 0, 1, 1, 2, 2])


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which path each call took; the fused one gives what `FACTOR` makes of the right result."""
    calls: list[str] = []
    eager = module._eager
    monkeypatch.setattr(module, "_TRUST", Trust())
    monkeypatch.setattr(module, "_eager", lambda *arguments: (calls.append("eager"), eager(*arguments))[1])
    return calls


def with_fused(monkeypatch: pytest.MonkeyPatch, calls: list[str], factor: float, slope: float = 1.0) -> None:
    eager = module._eager

    def fused(*arguments: object) -> tuple[Tensor, Tensor]:
        loss, gradient = eager(*arguments)  # type: ignore[arg-type]
        calls[-1] = "fused"
        return factor * loss, slope * gradient

    monkeypatch.setattr(module, "fused_value_and_gradient", fused)


def value_and_gradient(z: Tensor = Z) -> tuple[float, Tensor]:
    z = z.clone().requires_grad_()
    loss = group_contrastive_loss(z, GROUP[: len(z)], 1.0)
    loss.backward()
    assert z.grad is not None
    return loss.item(), z.grad


def test_the_first_batch_of_a_kind_is_computed_in_both_ways(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with_fused(monkeypatch, calls, 1 + 1e-6)
    for z in (Z, Z + 1, Z[:5], Z[1:]):
        value_and_gradient(z)
    assert calls == ["fused", "eager", "fused", "fused", "eager", "fused"]


@pytest.mark.parametrize(("factor", "slope"), [(1.01, 1.0), (1.0, 1.01), (float("nan"), 1.0), (1.0, float("nan"))])
def test_a_wrong_result_is_never_used(
    factor: float, slope: float, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = value_and_gradient()
    calls.clear()
    with_fused(monkeypatch, calls, factor, slope)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        results = [value_and_gradient() for _ in range(5)]
    assert all(value == expected[0] and torch.equal(gradient, expected[1]) for value, gradient in results)
    assert calls == ["fused", "eager"] * MOST_FAILURES + ["eager"] * 2
    (warning,) = seen
    assert "kernels of the group-aware contrastive loss gave" in str(warning.message)
    assert "slower path" in str(warning.message)


def test_one_batch_of_nothing_but_rounding_costs_no_trust(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with_fused(monkeypatch, calls, 1.0, 1.01)
    value_and_gradient()
    with_fused(monkeypatch, calls, 1.0)
    calls.clear()
    value_and_gradient()
    value_and_gradient()
    assert calls == ["fused", "eager", "fused"]


def test_without_a_wanted_gradient_only_the_values_are_compared(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_fused(monkeypatch, calls, 1.0)
    fused = module.fused_value_and_gradient
    meaningless = torch.ones(len(Z), 4)
    monkeypatch.setattr(module, "fused_value_and_gradient", lambda *given: (fused(*given)[0], meaningless))  # type: ignore[index]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(MOST_FAILURES + 1):
            group_contrastive_loss(Z, GROUP, 1.0)
    assert calls == ["fused", "eager"] + ["fused"] * MOST_FAILURES
    assert not module._TRUST.lost


def test_rounding_agrees() -> None:
    loss, gradient = torch.tensor(3.0), torch.randn(5, 2, generator=torch.Generator().manual_seed(1))
    assert agree((loss * (1 + 1e-6), gradient * (1 + 1e-5)), (loss, gradient))
    assert agree((loss, gradient.half()), (loss.double(), gradient.half().double()))
    assert not agree((loss + 0.001, gradient), (loss, gradient))
    assert not agree((loss, gradient.flip(0)), (loss, gradient))
