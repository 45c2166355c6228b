"""The fused path of L_grc: in Triton's interpreter, and compiled for a card that need not be there."""

import functools
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
from groupdir.losses import group_contrastive_pass as fused_pass
from groupdir.losses.group_contrastive import fused

needs_triton = pytest.mark.skipif(bool(cuda.obstacle()), reason="Triton cannot compile here")


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
    assert len(results) > 45
    for result in results:
        name = result["case"]
        assert result["eager"] is name.endswith("eager"), result
        assert ("float64" in result["passes"]) is name.endswith("float64"), result
        assert result["without_gradient"], result
        if name.startswith("broken"):
            assert math.isnan(result["value"]), result
        else:
            assert result["value"] < 1e-6, result
            exact = 1e-6 if name.endswith("float64") else 3e-6
            assert result["gradient"] < (5e-3 if result["coarse"] else exact), result


Launch = tuple[Any, tuple[Any, ...], tuple[Any, ...], int]


def launches(
    batch: int, features: int, z: torch.dtype, group: torch.dtype, similarity: str, dtype: torch.dtype
) -> list[Launch]:
    """Kernel, arguments, constants and warps of every launch of a pass."""
    recorded: list[Launch] = []

    def record(launch: fused_pass._Launch, *arguments: Any, stream: int) -> None:
        recorded.append((launch.kernel, arguments[: -len(launch.constants)], launch.constants, launch.warps))

    plan = fused_pass._Plan(torch.device("cpu"), batch, features, group.is_floating_point, dtype, similarity, True)
    for name in ("prepare", "gather", "anchors", "symmetrise", "scatter"):
        launch = getattr(plan, name)
        launch.launch = functools.partial(record, launch)
    plan.run(torch.zeros(batch, features, dtype=z), torch.zeros(batch, dtype=group), 0.5)
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
    ("batch", "features", "z", "group", "similarity", "dtype"),
    [
        (512, 512, torch.float32, torch.int64, "negative_l2", torch.float32),
        (700, 2048, torch.bfloat16, torch.float32, "cosine", torch.float32),
        (cuda.LARGEST_BATCH, cuda.LARGEST_WIDTH, torch.float32, torch.float64, "negative_unit_l2", torch.float32),
        (256, 512, torch.bfloat16, torch.int64, "negative_l2", torch.float64),
        (700, 512, torch.float32, torch.float32, "cosine", torch.float64),
        (
            cuda.LARGEST_DOUBLE_BATCH,
            cuda.LARGEST_WIDTH,
            torch.float32,
            torch.float64,
            "negative_unit_l2",
            torch.float64,
        ),
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
    dtype: torch.dtype,
) -> None:
    """Catches what the interpreter does not: types of branches, sizes of tiles, too much shared memory."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(torch, "mm", lambda *_, out: out)
    for launch in launches(batch, features, z, group, similarity, dtype):
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


def test_the_fused_path_begins_with_three_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "can_compile", lambda: True)
    monkeypatch.setattr(cuda, "DEVICE", "cpu")
    assert [batch for batch in range(6) if cuda.applies(torch.zeros(batch, 4))] == [3, 4, 5]


EXACT = {"finite": True, "nearest": 1.0, "farthest": 3.0, "longest": 2.0}
NEAR = EXACT | {"nearest": 0.01}
PASSES: dict[str, tuple[dict[str, Any], dict[str, Any] | None, dict[str, Any] | None, list[str | None]]] = {
    "exact": ({}, EXACT, None, ["float32"]),
    "near duplicates": ({}, NEAR, NEAR, ["float32", "float64"]),
    "near duplicates of many samples": ({"batch": cuda.LARGEST_DOUBLE_BATCH + 1}, NEAR, None, ["float32", None]),
    "equal rows": ({}, EXACT | {"nearest": 0.0, "finite": False}, EXACT | {"nearest": 0.0}, ["float32", "float64"]),
    "too low for float32": (
        {"temperature": 0.01},
        EXACT | {"finite": False},
        EXACT,
        ["float32", "float64"],
    ),
    "too low for float64": ({"temperature": 0.001}, EXACT | {"finite": False}, None, ["float32", None]),
    "not finite in float64 either": ({}, NEAR, NEAR | {"finite": False}, ["float32", "float64", None]),
    "wider in float64": ({"temperature": 0.002}, NEAR | {"farthest": 2.6}, EXACT, ["float32", "float64"]),
    "too wide in float64": ({"temperature": 0.002}, NEAR | {"farthest": 2.6}, NEAR, ["float32", "float64", None]),
    "groups that have no rank": ({}, EXACT | {"finite": False}, None, ["float32", None]),
    "features that are not finite": ({}, NEAR | {"farthest": math.nan, "finite": False}, None, ["float32", None]),
    "cosine": ({"similarity": "cosine", "temperature": 0.1}, EXACT, None, ["float32"]),
    "cosine without a rank": ({"similarity": "cosine"}, EXACT | {"finite": False}, None, ["float32", None]),
    "cosine at a low temperature": ({"similarity": "cosine", "temperature": 0.005}, None, EXACT, ["float64"]),
    "cosine at the lowest temperature": ({"similarity": "cosine", "temperature": 0.001}, None, None, [None]),
    "products in TF32": ({"tf32": True}, None, EXACT, ["float64"]),
}
"""Options of a batch, outcomes of its passes in float32 and float64, and the passes; None stands for the eager path."""


@pytest.mark.parametrize("case", PASSES)
def test_a_batch_decides_which_passes_run(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    options, single, double, expected = PASSES[case]
    passes: list[str | None] = []

    def run(z: Tensor, *others: Any) -> fused_pass.Outcome:
        name = str(others[-1]).removeprefix("torch.")
        figures = single if name == "float32" else double
        assert figures is not None
        figures = figures | ({"nearest": 0.0, "farthest": 0.0} if others[2] == "cosine" else {})
        passes.append(name)
        return fused_pass.Outcome(loss=z.new_zeros(()), gradient=z, **figures)

    monkeypatch.setattr(cuda, "can_compile", lambda: True)
    monkeypatch.setattr(cuda, "DEVICE", "cpu")
    monkeypatch.setattr(cuda, "products_keep_float32", lambda _: not options.get("tf32"))
    monkeypatch.setattr(cuda, "fused_pass", run)
    z = torch.zeros(options.get("batch", 8), 4)
    similarity, temperature = options.get("similarity", "negative_l2"), options.get("temperature", 1.0)
    if cuda.fused_value_and_gradient(z, torch.zeros(len(z)), temperature, similarity, True) is None:
        passes.append(None)
    assert passes == expected


def test_a_cpu_loads_no_kernels(root: Path) -> None:
    code = """
import sys, torch
from groupdir.losses import group_contrastive_loss
from groupdir.losses import group_contrastive_pass as fused_pass
group_contrastive_loss(torch.randn(8, 4), torch.arange(8), 1.0)
assert not [name for name in sys.modules if name.startswith("groupdir.") and name.endswith("kernels")]
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
