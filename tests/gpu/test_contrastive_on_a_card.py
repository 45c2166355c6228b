"""The fused path of the contrastive loss on a card; on the CPU the same tests pass through the other path."""

import math
import warnings

import pytest
import torch
from torch import Tensor

from groupdir.losses import group_contrastive as module
from groupdir.losses import group_contrastive_loss
from groupdir.losses.group_contrastive import Similarity, fused
from tests.gpu.devices import each_device

TEMPERATURES: dict[Similarity, float] = {"negative_l2": 2.5, "cosine": 0.1, "negative_unit_l2": 0.2}
every_similarity = pytest.mark.parametrize("similarity", list(TEMPERATURES))


@pytest.fixture
def eager_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Types of the devices on which the eager path ran."""
    calls: list[str] = []
    eager = module._eager
    monkeypatch.setattr(module, "_eager", lambda z, *others: (calls.append(z.device.type), eager(z, *others))[1])
    return calls


def with_gradient(z: Tensor, group: Tensor, similarity: Similarity, temperature: float = 0.0) -> tuple[Tensor, Tensor]:
    """Return the loss and its gradient, at the usual temperature unless another is given."""
    z = z.detach().clone().requires_grad_()
    value = group_contrastive_loss(z, group, temperature or TEMPERATURES[similarity], similarity)
    value.backward()
    assert z.grad is not None
    return value.detach(), z.grad


def batch_on(device: str, batch: int, features: int, raw: bool = False) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(batch + features)
    z = torch.randn(batch, features, generator=draw)
    group = torch.rand(batch, generator=draw) if raw else torch.randint(-3, 22, (batch,), generator=draw)
    return z.to(device), group.to(device)


def assert_close(result: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor], rounding: float = 0.0) -> None:
    """Compare values, and gradients by their norms. `rounding` is added to the bound of the gradients."""
    (value, gradient), (wanted, slope) = result, expected
    assert float(value) == pytest.approx(float(wanted), rel=2e-6, abs=1e-6)
    slope = slope.to(gradient.device).double()
    assert float((gradient.double() - slope).norm()) <= 1e-5 * float(slope.norm()) + rounding


@each_device
@every_similarity
@pytest.mark.parametrize(
    ("batch", "features", "raw"),
    [(3, 64, False), (130, 512, True), (512, 512, False), (700, 64, True), (512, 2048, False), (2048, 512, True)],
)
def test_the_result_is_that_of_float64(
    eager_calls: list[str], batch: int, features: int, raw: bool, similarity: Similarity, device: str
) -> None:
    if device == "cpu" and batch > 700:
        pytest.skip("too large for a rehearsal")
    z, group = batch_on(device, batch, features, raw)
    result = with_gradient(z, group, similarity)
    assert "cuda" not in eager_calls
    length = 1.0 if similarity == "negative_l2" else float(z.norm(dim=1).min())
    rounding = 1e-6 / TEMPERATURES[similarity] / length  # what few samples in few dimensions have
    assert_close(result, with_gradient(z.double(), group, similarity), rounding)


@each_device
@pytest.mark.parametrize("group", ["wide", "ties", "one", "own", "bytes", "int32", "half"])
def test_every_kind_of_group_is_taken(eager_calls: list[str], group: str, device: str) -> None:
    z, plain = batch_on(device, 300, 64)
    kinds = {
        "wide": plain * 1000,
        "ties": plain.double() / 10,
        "one": torch.full_like(plain, 7),
        "own": torch.arange(300, device=device),
        "bytes": (plain + 3).to(torch.uint8),
        "int32": plain.int(),
        "half": plain.half(),
    }
    result = with_gradient(z, kinds[group], "negative_l2")
    assert "cuda" not in eager_calls
    assert_close(result, with_gradient(z.cpu().double(), kinds[group].cpu(), "negative_l2"))


@each_device
@every_similarity
def test_the_same_batch_gives_the_same_bits(similarity: Similarity, device: str) -> None:
    z, group = batch_on(device, 700, 512)
    first, *others = [with_gradient(z, group, similarity) for _ in range(4)]
    assert all(torch.equal(first[0], value) and torch.equal(first[1], gradient) for value, gradient in others)


@each_device
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@every_similarity
def test_half_precision_is_raised_and_autocast_ignored(similarity: Similarity, dtype: torch.dtype, device: str) -> None:
    """Sums of half-precision loads may have another order than those of float32, so a few gradients round apart."""
    z, group = batch_on(device, 256, 128)
    z = z.to(dtype)
    with torch.autocast(device, dtype=torch.bfloat16):
        value, gradient = with_gradient(z, group, similarity)
    wide, slope = with_gradient(z.float(), group, similarity)
    assert float(value) == pytest.approx(float(wide), rel=2e-6)
    error = (gradient.double() - slope.to(dtype).double()).norm()
    assert float(error) <= torch.finfo(dtype).eps * float(slope.double().norm())


@each_device
def test_views_at_any_address_and_other_streams_serve(eager_calls: list[str], device: str) -> None:
    flat, group = batch_on(device, 129, 63)
    whole = with_gradient(flat[1:].clone(), group[1:].clone(), "negative_l2")
    stream = torch.cuda.Stream() if device == "cuda" else None
    if stream is not None:
        stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):  # type: ignore[no-untyped-call]
        for z in (flat[1:], flat.t().contiguous().t()[1:]):
            assert_close(with_gradient(z, group[1:], "negative_l2"), whole)
    assert "cuda" not in eager_calls


@each_device
@every_similarity
@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("kind", ["two views", "equal rows", "low temperature"])
def test_float64_serves_near_duplicates_and_low_temperatures(
    eager_calls: list[str], kind: str, raw: bool, similarity: Similarity, device: str
) -> None:
    z, group = batch_on(device, 256, 512, raw)
    temperature = TEMPERATURES[similarity]
    if kind == "low temperature":
        temperature *= 0.05
    else:
        noise = 0.01 if kind == "two views" else 0.0
        z, group = torch.cat([z, z + noise * z.flip(0)]), group.repeat(2)
    result = with_gradient(z, group, similarity, temperature)
    assert "cuda" not in eager_calls
    assert_close(result, with_gradient(z.double(), group, similarity, temperature))


@each_device
@pytest.mark.parametrize("reason", ["two samples", "low temperature", "groups far apart", "broken"])
def test_the_eager_path_serves_what_the_kernels_cannot_do(eager_calls: list[str], reason: str, device: str) -> None:
    z, group = batch_on(device, 2 if reason == "two samples" else 256, 64)
    temperature = 0.002 if reason == "low temperature" else 2.5
    if reason == "groups far apart":
        group[0] = 2**40
    if reason == "broken":
        z[3, 5] = math.nan
    result = with_gradient(z, group, "negative_l2", temperature)
    assert eager_calls == [device]
    with fused(enabled=False):
        expected = with_gradient(z, group, "negative_l2", temperature)
    assert bool(result[0].isnan()) is (reason == "broken")
    assert reason == "broken" or (torch.equal(result[0], expected[0]) and torch.equal(result[1], expected[1]))


@each_device
def test_targets_that_are_not_finite_are_refused(device: str) -> None:
    z, target = batch_on(device, 64, 32, raw=True)
    target[5], target[9] = math.nan, math.inf
    with pytest.raises(ValueError, match="got 2 NaN or infinite among 64"):
        group_contrastive_loss(z, target, 2.5)


@pytest.mark.gpu
def test_the_host_waits_once(monkeypatch: pytest.MonkeyPatch) -> None:
    z, group = batch_on("cuda", 512, 512)
    with_gradient(z, group, "negative_l2")  # compiles
    waits: list[int] = []
    synchronize = torch.cuda.Event.synchronize
    monkeypatch.setattr(torch.cuda.Event, "synchronize", lambda event: (waits.append(1), synchronize(event))[1])
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with_gradient(z, group, "negative_l2")
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert len(waits) == 1
    messages = [str(item.message) for item in caught]
    assert not [message for message in messages if "called a synchronizing CUDA operation" in message]


@pytest.mark.gpu
def test_memory_is_little_more_than_the_similarities() -> None:
    batch, features = 4096, 512
    z, group = batch_on("cuda", batch, features)
    with_gradient(z, group, "negative_l2")
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    loss = group_contrastive_loss(z.requires_grad_(), group, 2.5)
    peak = torch.cuda.max_memory_allocated() - before
    assert float(loss.detach()) > 0
    assert peak <= 4 * batch * (batch + 3 * features) * 1.1
