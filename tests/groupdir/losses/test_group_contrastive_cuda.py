"""The fused path of L_grc: in Triton's interpreter, compiled for a card that need not be there, and on a card."""

import importlib.metadata
import json
import math
import os
import subprocess
import sys
import sysconfig
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from packaging.version import Version
from torch import Tensor

from groupdir.losses import group_contrastive as module
from groupdir.losses import group_contrastive_cuda as cuda
from groupdir.losses import group_contrastive_loss
from groupdir.losses.group_contrastive import fused

SIMILARITIES = ("negative_l2", "cosine", "negative_unit_l2")
TEMPERATURES = {"negative_l2": 2.5, "cosine": 0.1, "negative_unit_l2": 0.2}
every_similarity = pytest.mark.parametrize("similarity", SIMILARITIES)
needs_triton = pytest.mark.skipif(bool(cuda.obstacle()), reason="Triton cannot compile here")


def with_gradient(z: Tensor, group: Tensor, temperature: float, similarity: str) -> tuple[Tensor, Tensor]:
    z = z.detach().clone().requires_grad_()
    value = group_contrastive_loss(z, group, temperature, similarity)  # type: ignore[arg-type]
    value.backward()
    assert z.grad is not None
    return value.detach(), z.grad


def interpreter_runs() -> bool:
    """Triton before 3.7 converts arrays of one element to numbers, which NumPy 2.4 and later refuse."""
    old = Version(importlib.metadata.version("triton")) < Version("3.7")
    return not (old and Version(importlib.metadata.version("numpy")) >= Version("2.4"))


@pytest.mark.slow
@needs_triton
def test_the_kernels_are_the_definition_in_the_interpreter() -> None:
    if not interpreter_runs():
        pytest.skip("this version of Triton's interpreter does not run with this version of NumPy")
    script = Path(__file__).with_name("interpreted_loss.py")
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONWARNINGS": "ignore"}
    run = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    results = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(results) > 25
    for result in results:
        name = result["case"]
        assert result["eager"] is name.endswith("eager"), result
        assert result["without_gradient"], result
        if name.startswith("broken"):
            assert math.isnan(result["value"]), result
        else:
            assert result["value"] < 1e-6, result
            assert result["gradient"] < (5e-3 if result["coarse"] else 3e-6), result


Launch = tuple[Any, tuple[Any, ...], tuple[Any, ...], int]


def launches(batch: int, features: int, z: torch.dtype, group: torch.dtype, similarity: str) -> list[Launch]:
    """Kernel, arguments, constants and warps of every launch of a pass."""
    recorded: list[Launch] = []
    plan = cuda._Plan(torch.device("cpu"), batch, features, group.is_floating_point, similarity)
    for name in ("prepare", "gather", "anchors", "symmetrise", "scatter"):
        launch = getattr(plan, name)
        call = lambda _, *arguments, of=launch: recorded.append((of.kernel, arguments, of.constants, of.warps))  # noqa: E731
        setattr(plan, name, call)
    plan.run(torch.zeros(batch, features, dtype=z), torch.zeros(batch, dtype=group), 0.5, want_gradient=True)
    assert len(recorded) == 5
    return recorded


def compiled(kernel: Any, arguments: tuple[Any, ...], constants: tuple[Any, ...], warps: int) -> Any:
    """The kernel for an H100, compiled without one."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = kernel.arg_names
    assert len(names) == len(arguments) + len(constants)
    pointers = {"float32": "*fp32", "float64": "*fp64", "bfloat16": "*bf16", "int32": "*i32", "int64": "*i64"}
    types = [
        pointers[str(x.dtype).removeprefix("torch.")] if isinstance(x, Tensor) else {int: "i32", float: "fp32"}[type(x)]
        for x in arguments
    ]
    signature = dict(zip(names, types + ["constexpr"] * len(constants), strict=True))
    constexprs = {(len(arguments) + i,): value for i, value in enumerate(constants)}
    aligned = {(i,): [["tt.divisibility", 16]] for i, kind in enumerate(types) if kind.startswith("*")}
    source = ASTSource(fn=kernel, signature=signature, constexprs=constexprs, attrs=aligned)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": warps})


@needs_triton
@pytest.mark.parametrize(
    ("batch", "features", "z", "group", "similarity"),
    [
        (512, 512, torch.float32, torch.int64, "negative_l2"),
        (700, 2048, torch.bfloat16, torch.float32, "cosine"),
        (cuda.LARGEST_BATCH, cuda.LARGEST_WIDTH, torch.float32, torch.float64, "negative_unit_l2"),
    ],
)
def test_the_kernels_compile_for_a_card(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    batch: int,
    features: int,
    z: torch.dtype,
    group: torch.dtype,
    similarity: str,
) -> None:
    """Catches what the interpreter does not: types of branches, sizes of tiles, too much shared memory."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(torch, "mm", lambda *_, out: out)
    for launch in launches(batch, features, z, group, similarity):
        assert compiled(*launch).metadata.shared <= 48 * 1024


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda patch: patch.setattr(torch.version, "cuda", None), "not for CUDA"),
        (lambda patch: patch.setattr(cuda.importlib.util, "find_spec", lambda _: None), "pip install triton"),
        (
            lambda patch: patch.setattr(cuda.shutil, "which", lambda _: None),
            r"no C compiler .* \(gcc or clang\)",
        ),
        (lambda patch: patch.setenv("CC", "no-such-cc"), "CC is no-such-cc"),
        (lambda patch: patch.setattr(sysconfig, "get_path", lambda *_: "/nowhere"), "/nowhere/Python.h is missing"),
    ],
)
def test_why_the_slower_path_is_taken_is_said_once(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[pytest.MonkeyPatch], None], message: str
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(cuda.importlib.util, "find_spec", lambda _: True)
    monkeypatch.setattr(cuda.shutil, "which", lambda name: name if name == "gcc" else None)
    monkeypatch.delenv("CC", raising=False)
    change(monkeypatch)
    cuda.can_compile.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match=f"slower path on this GPU: .*{message}"):
            assert not cuda.can_compile()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert not cuda.can_compile()
    finally:
        cuda.can_compile.cache_clear()


def test_a_cpu_loads_no_kernels(root: Path) -> None:
    code = """
import sys, torch
from groupdir.losses import group_contrastive_loss
group_contrastive_loss(torch.randn(8, 4), torch.arange(8), 1.0)
assert "groupdir.losses.group_contrastive_kernels" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)


def test_the_switch_decides_which_path_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(module, "fused_value_and_gradient", lambda *_: calls.append(1))
    for enabled, expected in ((True, 1), (False, 1), (True, 2)):
        with fused(enabled):
            group_contrastive_loss(torch.eye(3), torch.arange(3), 1.0)
        assert len(calls) == expected
    group_contrastive_loss(torch.eye(3), torch.arange(3), 1.0)
    assert len(calls) == 3


def on_card(test: Any) -> Any:
    return pytest.mark.gpu(pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")(test))


@pytest.fixture
def eager_calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for every time that the eager path runs."""
    calls: list[int] = []
    eager = module._eager
    monkeypatch.setattr(module, "_eager", lambda *arguments: (calls.append(1), eager(*arguments))[1])
    return calls


def card_batch(batch: int, features: int, raw: bool = False) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(batch + features)
    z = torch.randn(batch, features, generator=draw)
    group = torch.rand(batch, generator=draw) if raw else torch.randint(-3, 22, (batch,), generator=draw)
    return z.cuda(), group.cuda()


@on_card
@every_similarity
@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(
    ("batch", "features"),
    [(2, 64), (3, 64), (130, 512), (512, 512), (700, 64), (512, 2048), (2048, 512), (2048, 2048), (4096, 64)],
)
def test_a_card_gives_the_float64_result(
    eager_calls: list[int], batch: int, features: int, raw: bool, similarity: str
) -> None:
    """Against float64 on the CPU, the largest against float64 on the card."""
    z, group = card_batch(batch, features, raw)
    value, gradient = with_gradient(z, group, TEMPERATURES[similarity], similarity)
    assert not eager_calls
    device = "cpu" if batch**2 * features <= 2**28 else "cuda"
    expected, slope = with_gradient(z.to(device).double(), group.to(device), TEMPERATURES[similarity], similarity)
    assert float(value) == pytest.approx(float(expected), rel=2e-6, abs=1e-6)
    length = 1.0 if similarity == "negative_l2" else float(z.norm(dim=1).min())
    rounding = 1e-6 / TEMPERATURES[similarity] / length  # all that two samples have
    assert float((gradient.cpu() - slope.cpu()).norm()) <= 1e-5 * float(slope.norm()) + rounding


@on_card
@pytest.mark.parametrize("group", ["wide", "ties", "one", "own", "bytes", "int32", "half"])
def test_a_card_takes_every_kind_of_group(eager_calls: list[int], group: str) -> None:
    z, plain = card_batch(300, 64)
    kinds = {
        "wide": plain * 1000,
        "ties": plain.double() / 10,
        "one": torch.full_like(plain, 7),
        "own": torch.arange(300).cuda(),
        "bytes": (plain + 3).to(torch.uint8),
        "int32": plain.int(),
        "half": plain.half(),
    }
    value, gradient = with_gradient(z, kinds[group], 2.5, "negative_l2")
    assert not eager_calls
    expected, slope = with_gradient(z.cpu().double(), kinds[group].cpu(), 2.5, "negative_l2")
    assert float(value) == pytest.approx(float(expected), rel=2e-6)
    assert float((gradient.cpu() - slope).norm()) <= 1e-5 * float(slope.norm())


@on_card
@every_similarity
def test_a_card_gives_the_same_bits_again(similarity: str) -> None:
    z, group = card_batch(700, 512)
    first = with_gradient(z, group, TEMPERATURES[similarity], similarity)
    for _ in range(5):
        again = with_gradient(z, group, TEMPERATURES[similarity], similarity)
        assert torch.equal(first[0], again[0])
        assert torch.equal(first[1], again[1])


@on_card
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@every_similarity
def test_a_card_raises_half_precision_and_heeds_no_autocast(similarity: str, dtype: torch.dtype) -> None:
    z, group = card_batch(256, 128)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        value, gradient = with_gradient(z.to(dtype), group, TEMPERATURES[similarity], similarity)
    wide, slope = with_gradient(z.to(dtype).float(), group, TEMPERATURES[similarity], similarity)
    assert value == wide
    assert torch.equal(gradient, slope.to(dtype))


@on_card
def test_a_card_takes_views_at_any_address_and_other_streams(eager_calls: list[int]) -> None:
    flat, group = card_batch(129, 63)
    whole = with_gradient(flat[1:].clone(), group[1:].clone(), 2.5, "negative_l2")
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for z, g in ((flat[1:], group[1:]), (flat.t().contiguous().t()[1:], group[1:])):
            value, gradient = with_gradient(z, g, 2.5, "negative_l2")
            assert torch.equal(value, whole[0])
            assert torch.equal(gradient, whole[1])
    assert not eager_calls


@on_card
@pytest.mark.parametrize("reason", ["near duplicates", "low temperature", "groups far apart", "broken"])
def test_a_card_leaves_to_the_eager_path_what_float32_cannot_do(eager_calls: list[int], reason: str) -> None:
    z, group = card_batch(256, 64)
    temperature = 0.01 if reason == "low temperature" else 2.5
    if reason == "near duplicates":
        z = torch.cat([z[:128], z[:128] + 1e-5])
    if reason == "groups far apart":
        group[0] = 2**40
    if reason == "broken":
        z[3, 5] = math.nan
    value, gradient = with_gradient(z, group, temperature, "negative_l2")
    assert len(eager_calls) == 1
    with fused(enabled=False):
        expected, slope = with_gradient(z, group, temperature, "negative_l2")
    assert len(eager_calls) == 2
    assert torch.equal(value, expected) or reason == "broken"
    assert torch.equal(gradient, slope) or reason == "broken"
    assert bool(value.isnan()) is (reason == "broken")


@on_card
def test_a_card_refuses_targets_that_are_not_finite() -> None:
    z, target = card_batch(64, 32, raw=True)
    target[5], target[9] = math.nan, math.inf
    with pytest.raises(ValueError, match="got 2 NaN or infinite among 64"):
        group_contrastive_loss(z, target, 2.5)


@on_card
def test_a_card_makes_the_host_wait_once(monkeypatch: pytest.MonkeyPatch) -> None:
    z, group = card_batch(512, 512)
    with_gradient(z, group, 2.5, "negative_l2")  # compiles
    waits: list[int] = []
    synchronize = torch.cuda.Event.synchronize
    monkeypatch.setattr(torch.cuda.Event, "synchronize", lambda event: (waits.append(1), synchronize(event))[1])
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with_gradient(z, group, 2.5, "negative_l2")
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert len(waits) == 1
    assert not [str(item.message) for item in caught if "synchronizing" in str(item.message)]


@on_card
def test_a_card_needs_little_more_memory_than_the_similarities() -> None:
    batch, features = 4096, 512
    z, group = card_batch(batch, features)
    with_gradient(z, group, 2.5, "negative_l2")
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    loss = group_contrastive_loss(z.requires_grad_(), group, 2.5)
    peak = torch.cuda.max_memory_allocated() - before
    assert float(loss.detach()) > 0
    assert peak <= 4 * batch * (batch + 3 * features) * 1.1
