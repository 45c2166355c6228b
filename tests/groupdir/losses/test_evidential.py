"""The evidential loss against its formula and against scipy's Student t, whose density it is the logarithm of."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from groupdir.losses import conjugate_parameters, evidential_loss, evidential_parameters

positive = st.floats(0.05, 50)
rows = st.tuples(st.floats(-20, 20), positive, st.floats(1.05, 80), positive, st.floats(-20, 20), st.floats(0, 3))


def likelihood(gamma: float, nu: float, alpha: float, beta: float, y: float) -> float:
    """NLL word by word."""
    omega = 2 * beta * (1 + nu)
    return (
        math.log(math.pi / nu) / 2
        - alpha * math.log(omega)
        + (alpha + 0.5) * math.log(nu * (y - gamma) ** 2 + omega)
        + math.lgamma(alpha)
        - math.lgamma(alpha + 0.5)
    )


def split(batch: list[tuple[float, ...]]) -> tuple[Tensor, Tensor, Tensor]:
    table = torch.tensor(batch, dtype=torch.float64)
    return table[:, :4], table[:, 4], table[:, 5]


@given(st.lists(rows, min_size=1, max_size=5), st.sampled_from([0.0, 0.01, 1.0]))
def test_value_is_the_definition(batch: list[tuple[float, ...]], coefficient: float) -> None:
    params, y, weight = split(batch)
    total = [likelihood(g, nu, a, b, t) + coefficient * abs(t - g) * (2 * nu + a) for g, nu, a, b, t, _ in batch]
    value = evidential_loss(params, y, coefficient=coefficient)
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(sum(total) / len(total), rel=1e-9, abs=1e-9)
    weighted = evidential_loss(params, y, coefficient=coefficient, weight=weight)
    by_hand = sum(w * t for t, w in zip(total, weight.tolist(), strict=True)) / len(total)
    assert weighted.item() == pytest.approx(by_hand, rel=1e-9, abs=1e-9)


@given(rows)
def test_it_is_the_density_of_student_s_t(row: tuple[float, ...]) -> None:
    gamma, nu, alpha, beta, y, _ = row
    density = stats.t.logpdf(y, df=2 * alpha, loc=gamma, scale=math.sqrt(beta * (1 + nu) / (nu * alpha)))
    params, target, _ = split([row])
    assert evidential_loss(params, target, coefficient=0.0).item() == pytest.approx(-density, rel=1e-8, abs=1e-8)


def test_a_value_by_hand() -> None:
    """All 1 and no error: log(pi)/2 - log 4 + 1.5 log 4 + 0 - log(sqrt(pi)/2) = log 4."""
    params = torch.tensor([[0.0, 1.0, 1.0, 1.0]])
    assert evidential_loss(params, torch.zeros(1), coefficient=0.0).item() == pytest.approx(math.log(4))
    one_off = evidential_loss(params, torch.ones(1), coefficient=0.5).item()
    assert one_off == pytest.approx(math.log(4) + 1.5 * math.log(5 / 4) + 0.5 * 3)


def test_gradcheck() -> None:
    raw = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    y, weight = torch.linspace(-3, 3, 5).double(), torch.rand(5, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda r: evidential_loss(evidential_parameters(r, sharpness=0.5), y, coefficient=0.1, weight=weight), raw
    )
    assert torch.autograd.gradcheck(
        lambda r: evidential_loss(conjugate_parameters(r[:, :3], weight), y, coefficient=0.1), raw
    )


@pytest.mark.parametrize("evidence", [1e-12, 1e-6, 1.0, 1e4, 1e8])
@pytest.mark.parametrize("error", [0.0, 1e-6, 1.0, 1e6])
def test_float32_is_right_at_the_extremes(evidence: float, error: float) -> None:
    """log Gamma(1e8) - log Gamma(1e8 + 1/2) in float32 would be off by hundreds."""
    params = torch.tensor([[0.0, evidence, 1 + evidence, evidence]], requires_grad=True)
    value = evidential_loss(params, torch.tensor([error]), coefficient=0.01)
    (gradient,) = torch.autograd.grad(value, params)
    gamma, nu, alpha, beta = params.detach().double()[0].tolist()
    target = torch.tensor([error]).item()
    nu, beta = max(nu, 1e-6), max(beta, 1e-6)
    density = stats.t.logpdf(target, df=2 * alpha, loc=gamma, scale=math.sqrt(beta * (1 + nu) / (nu * alpha)))
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(-density + 0.01 * abs(target) * (2 * nu + alpha), rel=1e-5, abs=1e-5)
    assert gradient.isfinite().all()


def test_parameters_are_in_range_and_start_where_published_ones_do() -> None:
    raw = torch.tensor([[3.0, 0.0, 0.0, 0.0], [-2.0, -50.0, -50.0, -50.0], [1.0, 80.0, 80.0, 80.0]])
    published = evidential_parameters(raw)
    assert published[0].tolist() == pytest.approx([3.0, 69.3147, 70.3147, 69.3147], rel=1e-5)
    sharp = evidential_parameters(raw, sharpness=1.0)
    assert (sharp[:, 1:] >= 0).all()
    assert (sharp[:, 2] >= 1).all()
    assert sharp[2].tolist() == pytest.approx([1.0, 80.0, 81.0, 80.0])
    assert evidential_loss(sharp, torch.zeros(3), coefficient=0.01).isfinite(), "softplus(-50) is 2e-22"


def test_weights_are_evidence_in_the_conjugate_head() -> None:
    raw, weight = torch.tensor([[0.5, 7.0, -4.0], [0.5, 7.0, -4.0]], dtype=torch.float64), torch.tensor([1.0, 3.0])
    evidence = 10 * math.log(1 + math.exp(0.7)) + 2
    beta = 10 * math.log(1 + math.exp(-0.4))
    one, three = conjugate_parameters(raw, weight).tolist()
    assert one == pytest.approx([0.5, evidence, 0.3 + evidence / 2, beta])
    assert three == pytest.approx([0.5, 3 * evidence, 0.3 + 1.5 * evidence, beta])
    assert conjugate_parameters(raw)[1].tolist() == pytest.approx(one)


def test_autocast_half_precision_and_an_empty_batch() -> None:
    raw, y = torch.randn(6, 4, generator=torch.Generator().manual_seed(1)).to(torch.bfloat16), torch.arange(6.0)
    expected = evidential_loss(evidential_parameters(raw.float()), y)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert evidential_loss(evidential_parameters(raw), y) == expected
    assert expected.dtype == torch.float32
    assert evidential_loss(torch.zeros(0, 4), torch.zeros(0)) == 0


def test_ten_steps_lower_the_loss_and_find_the_target() -> None:
    raw = torch.nn.Parameter(torch.zeros(1, 4))
    optimizer = torch.optim.Adam([raw], lr=0.2)
    found = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = evidential_loss(evidential_parameters(raw, sharpness=1.0), torch.tensor([3.0]))
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    assert found[-1] < found[0] - 0.3
    assert raw[0, 0] > 1


def test_another_unit_adds_a_constant_if_beta_and_the_coefficient_follow() -> None:
    """A loss in years, and the same loss in units of 10 years: they differ by log 10."""
    raw, y = torch.randn(20, 4, dtype=torch.float64), 100 * torch.rand(20, dtype=torch.float64)
    shifted = torch.cat([50 + 10 * raw[:, :1], raw[:, 1:]], dim=1)
    for parameters, columns in ((evidential_parameters, 4), (conjugate_parameters, 3)):
        years = evidential_loss(parameters(shifted[:, :columns]), y, coefficient=0.01)
        tens = evidential_loss(parameters(raw[:, :columns], beta_scale=0.01), (y - 50) / 10, coefficient=0.1)
        assert years.item() == pytest.approx(tens.item() + math.log(10), rel=1e-12)


FOUR = torch.ones(2, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: evidential_loss(torch.ones(2, 3), torch.ones(2)),
            r"params must be a floating tensor of shape \(B, 4\)",
        ),
        (lambda: evidential_loss(FOUR.long(), torch.ones(2)), "params must be a floating tensor"),
        (lambda: evidential_loss(FOUR, torch.ones(2, 1)), r"y must be a real tensor of shape \(2,\)"),
        (lambda: evidential_loss(FOUR, torch.ones(2), coefficient=-1), "coefficient must be >= 0"),
        (lambda: evidential_loss(FOUR, torch.ones(2), weight=torch.ones(3)), r"weight must have shape \(2,\)"),
        (lambda: evidential_parameters(torch.ones(4)), r"raw must be a floating tensor of shape \(B, 4\)"),
        (lambda: evidential_parameters(FOUR, sharpness=0), "sharpness must be > 0"),
        (lambda: evidential_parameters(FOUR, beta_scale=0), "beta_scale must be > 0"),
        (lambda: conjugate_parameters(FOUR[:, :3], beta_scale=math.inf), "beta_scale must be > 0 and finite"),
        (lambda: conjugate_parameters(FOUR), r"raw must be a floating tensor of shape \(B, 3\)"),
        (lambda: conjugate_parameters(FOUR[:, :3], torch.ones(1)), r"weight must have shape \(2,\)"),
    ],
)
def test_mistakes_are_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
