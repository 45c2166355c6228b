"""Balanced MSE in its three approximations: their formulas in plain Python, and what they are to agree on."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from groupdir.losses import batch_monte_carlo_loss, bucket_integration_loss, gmm_integration_loss


def log_sum(values: list[float]) -> float:
    top = max(values)
    return top + math.log(math.fsum(math.exp(v - top) for v in values))


def bmc_by_loops(prediction: list[float], y: list[float], sigma: float, as_published: bool) -> float:
    v, total = max(sigma**2, 1e-6), 0.0
    for i, p in enumerate(prediction):
        logit = [-((p - t) ** 2) / (2 * v) for t in y]
        right = [i] if as_published else [j for j in range(len(y)) if y[j] == y[i]]
        total -= log_sum([logit[j] for j in right]) - log_sum(logit)
    return 2 * v * total / len(y)


def gai_by_loops(
    prediction: list[float], y: list[float], sigma: float, mixture: list[tuple[float, float, float]]
) -> float:
    v, total = sigma**2, 0.0
    for p, t in zip(prediction, y, strict=True):
        terms = [math.log(w) - math.log(u + v) / 2 - (p - m) ** 2 / (2 * (u + v)) for m, u, w in mixture]
        total += (t - p) ** 2 / (2 * v) + math.log(v) / 2 + log_sum(terms)
    return 2 * v * total / len(y)


def bni_by_loops(prediction: list[float], y: list[float], sigma: float, buckets: list[tuple[float, float]]) -> float:
    v, total = sigma**2, 0.0
    for p, t in zip(prediction, y, strict=True):
        total += (t - p) ** 2 / (2 * v) + log_sum([math.log(w) - (p - c) ** 2 / (2 * v) for c, w in buckets])
    return 2 * v * total / len(y)


values = st.floats(-5, 5).map(lambda x: round(x, 3))
labels = st.integers(-3, 3).map(float)
batches = st.lists(st.tuples(values, labels), min_size=1, max_size=6)
sigmas = st.sampled_from([0.3, 1.0, 4.0])


def split(batch: list[tuple[float, float]]) -> tuple[list[float], list[float], Tensor, Tensor]:
    prediction, y = map(list, zip(*batch, strict=True))
    return prediction, y, torch.tensor(prediction, dtype=torch.float64), torch.tensor(y, dtype=torch.float64)


@settings(max_examples=40)
@given(batches, sigmas, st.booleans())
def test_bmc_is_the_definition(batch: list[tuple[float, float]], sigma: float, as_published: bool) -> None:
    prediction, y, p, t = split(batch)
    value = batch_monte_carlo_loss(p, t, sigma, as_published=as_published)
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(bmc_by_loops(prediction, y, sigma, as_published), rel=1e-10, abs=1e-12)


@settings(max_examples=40)
@given(
    batches,
    sigmas,
    st.lists(st.tuples(values, st.floats(0.01, 9), st.floats(0.1, 1)), min_size=1, max_size=4),
)
def test_gai_and_bni_are_the_definition(
    batch: list[tuple[float, float]], sigma: float, mixture: list[tuple[float, float, float]]
) -> None:
    prediction, y, p, t = split(batch)
    means, variances, weights = map(list, zip(*mixture, strict=True))
    value = gmm_integration_loss(p, t, sigma, means, variances, weights)
    assert value.item() == pytest.approx(gai_by_loops(prediction, y, sigma, mixture), rel=1e-10, abs=1e-11)
    value = bucket_integration_loss(p, t, sigma, means, torch.tensor(weights, dtype=torch.float64))
    buckets = list(zip(means, weights, strict=True))
    assert value.item() == pytest.approx(bni_by_loops(prediction, y, sigma, buckets), rel=1e-10, abs=1e-11)


def test_values_by_hand() -> None:
    two = torch.tensor([0.0, 1.0])
    assert batch_monte_carlo_loss(two, two, 1.0).item() == pytest.approx(2 * math.log(1 + math.exp(-0.5)))
    one = torch.tensor([0.0])
    assert bucket_integration_loss(one, one, 1.0, [0.0, 1.0], [0.5, 0.5]).item() == pytest.approx(
        2 * math.log((1 + math.exp(-0.5)) / 2)
    )
    assert gmm_integration_loss(torch.tensor([2.0]), torch.tensor([3.0]), 1.0, [0.0], [3.0], [1.0]).item() == (
        pytest.approx(2 * (0.5 - math.log(2) - 4 / 8))
    )


def test_the_three_agree_on_one_density() -> None:
    """The batch's own histogram is BNI's, and a mixture of points is GAI's: three roads to one integral."""
    y = torch.tensor([0.0, 0.0, 0.0, 2.0, 7.0], dtype=torch.float64)
    p = torch.tensor([0.4, -1.0, 3.0, 2.5, 4.0], dtype=torch.float64)
    centers, weights, sigma = [0.0, 2.0, 7.0], [0.6, 0.2, 0.2], 1.3
    bni = bucket_integration_loss(p, y, sigma, centers, weights)
    torch.testing.assert_close(gmm_integration_loss(p, y, sigma, centers, [0.0] * 3, weights), bni)
    # BMC's sum over the batch is 5 times that over the histogram, and the whole likelihood has the density of y
    constant = math.log(5) - sum(math.log(n) for n in (3, 3, 3, 1, 1)) / 5
    torch.testing.assert_close(batch_monte_carlo_loss(p, y, sigma), bni + 2 * sigma**2 * constant)


def test_equal_targets_are_no_negatives() -> None:
    y = torch.tensor([3.0, 3.0, 3.0, 9.0])
    assert batch_monte_carlo_loss(y, y, 0.1).item() == pytest.approx(0, abs=1e-7)
    published = batch_monte_carlo_loss(y, y, 0.1, as_published=True).item()
    assert published == pytest.approx(2 * 0.01 * 3 * math.log(3) / 4, rel=1e-5)
    p, sigma = torch.tensor([2.0, 4.0, 6.0, 5.0], requires_grad=True), torch.tensor(1.5, requires_grad=True)
    gradients = [
        torch.autograd.grad(batch_monte_carlo_loss(p, y, sigma, as_published=flag), (p, sigma))
        for flag in (True, False)
    ]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)


def losses(y: Tensor) -> list[object]:
    return [
        lambda p, s: batch_monte_carlo_loss(p, y, s),
        lambda p, s: batch_monte_carlo_loss(p, y, s, as_published=True),
        lambda p, s: gmm_integration_loss(p, y, s, [0.0, 3.0], [1.0, 4.0], [0.3, 0.7]),
        lambda p, s: bucket_integration_loss(p, y, s, [0.0, 1.0, 3.0], [0.3, 0.0, 0.7]),
    ]


@pytest.mark.parametrize("index", range(4))
def test_gradients(index: int) -> None:
    """gradcheck of the prediction; the noise's gradient leaves out that of the factor 2 v."""
    y = torch.tensor([0.0, 3.0, 3.0, -2.0], dtype=torch.float64)
    call = losses(y)[index]
    p = torch.tensor([0.5, 2.0, 5.0, 1.0], dtype=torch.float64, requires_grad=True)
    sigma = torch.tensor([1.2], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: call(x, 1.2), p)  # type: ignore[operator]
    (slope,) = torch.autograd.grad(call(p, sigma), sigma)  # type: ignore[operator]
    step = 1e-5
    up, down = ((call(p, 1.2 + h) / (2 * (1.2 + h) ** 2)).item() for h in (step, -step))  # type: ignore[operator]
    assert slope.item() == pytest.approx(2 * 1.2**2 * (up - down) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("sigma", [1e-9, 1e-3, 0.1, 1e4])
@pytest.mark.parametrize("shift", [0.0, 1e3, 1e6])
def test_float32_is_right_far_from_all_labels(index: int, sigma: float, shift: float) -> None:
    """|p - y|^2 / v of 1e18: a difference of two such would have no digit left."""
    y = torch.tensor([0.0, 3.0, 3.0, -2.0], dtype=torch.float64)
    p = torch.tensor([0.5, 2.0, 5.0, 1.0], dtype=torch.float64) + shift
    narrow = p.float().requires_grad_()
    wide = narrow.detach().double().requires_grad_()
    value, expected = (losses(y)[index](x, torch.tensor(sigma)) for x in (narrow, wide))  # type: ignore[operator]
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected.item(), rel=1e-5, abs=1e-5)
    got, slope = torch.autograd.grad(value, narrow)[0], torch.autograd.grad(expected, wide)[0]
    torch.testing.assert_close(got.double(), slope, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("index", range(4))
def test_a_vanishing_noise_counts_as_a_thousandth(index: int) -> None:
    call = losses(torch.tensor([0.0, 3.0, 3.0]))[index]
    p = torch.tensor([0.5, 2.0, 5.0])
    sigma = torch.tensor(0.0, requires_grad=True)
    value = call(p, sigma)  # type: ignore[operator]
    assert value.isfinite()
    assert value.item() == pytest.approx(call(p, 1e-3).item(), rel=1e-6)  # type: ignore[operator]
    assert torch.autograd.grad(value, sigma)[0].isfinite()


@pytest.mark.parametrize("index", range(4))
def test_small_and_uniform_batches(index: int) -> None:
    for y in (torch.zeros(0), torch.tensor([3.0]), torch.full((5,), 3.0)):
        p = (y + torch.linspace(-1, 1, len(y))).requires_grad_()
        value = losses(y)[index](p, 1.0)  # type: ignore[operator]
        (gradient,) = torch.autograd.grad(value, p)
        assert value.isfinite()
        assert gradient.isfinite().all()
        if index < 2:
            published = 2 * math.log(len(y)) if len(y) and index == 1 else 0.0
            assert value.item() == pytest.approx(published, abs=1e-6)
            assert gradient.abs().sum() < 1e-6
    assert losses(torch.zeros(0))[index](torch.zeros(0), 1.0) == 0  # type: ignore[operator]


@pytest.mark.parametrize("index", range(4))
def test_autocast_and_half_precision_are_calculated_in_float32(index: int) -> None:
    y, p = torch.tensor([0.0, 3.0, 3.0]), torch.tensor([0.7, 1.9, 4.0]).to(torch.bfloat16)
    call = losses(y)[index]
    expected = call(p.float(), 0.9)  # type: ignore[operator]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert call(p, 0.9) == expected  # type: ignore[operator]


def test_ten_steps_learn_the_noise_and_free_a_rare_target() -> None:
    """The noise narrows to the errors' size; and a prediction of a rare target is not drawn to the frequent one."""
    sigma = torch.nn.Parameter(torch.tensor(5.0))
    y = torch.arange(20.0)
    p = y + 0.3 * torch.randn(20, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam([sigma], lr=0.3)
    for _ in range(10):
        optimizer.zero_grad()
        batch_monte_carlo_loss(p, y, sigma).backward()
        optimizer.step()
    assert 0 < sigma.item() < 3.5
    shared = torch.full((1,), 0.5, requires_grad=True)  # one prediction for nine 0s and a 1: balanced, 0.5 is best
    mixed = torch.tensor([0.0] * 9 + [1.0])
    (slope,) = torch.autograd.grad(
        bucket_integration_loss(shared.expand(10), mixed, 0.5, [0.0, 1.0], [0.9, 0.1]), shared
    )
    (plain,) = torch.autograd.grad((shared.expand(10) - mixed).square().mean(), shared)
    assert abs(slope.item()) < 1e-3 * abs(plain.item())


P, Y = torch.zeros(2), torch.zeros(2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: batch_monte_carlo_loss(P[:, None], Y, 1.0), r"prediction must be a floating tensor of shape \(B,\)"),
        (lambda: batch_monte_carlo_loss(P, Y[:1], 1.0), r"y must be a real tensor of shape \(2,\)"),
        (lambda: batch_monte_carlo_loss(P, Y, 0.0), "sigma must be > 0"),
        (lambda: batch_monte_carlo_loss(P, Y, torch.ones(2)), "sigma must be one floating value"),
        (lambda: batch_monte_carlo_loss(P, Y, torch.tensor(1)), "sigma must be one floating value"),
        (lambda: gmm_integration_loss(P, Y, 1.0, [0.0], [1.0, 1.0], [1.0]), "1 centres, 2 variances and 1 weights"),
        (lambda: gmm_integration_loss(P, Y, 1.0, [], [], []), "K >= 1"),
        (lambda: gmm_integration_loss(P, Y, 1.0, [0.0], [-1.0], [1.0]), "variances must be >= 0"),
        (lambda: bucket_integration_loss(P, Y, 1.0, [0.0], [0.0]), "weights must be >= 0 and not all 0"),
        (lambda: bucket_integration_loss(P, Y, 1.0, [0.0, 1.0], [1.0, -1.0]), "weights must be >= 0"),
    ],
)
def test_mistakes_are_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
