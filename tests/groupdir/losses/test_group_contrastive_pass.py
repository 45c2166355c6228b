"""What a pass of the fused loss hands to its kernels; no kernel runs."""

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor

from groupdir.losses import group_contrastive_pass as module

BATCH, FEATURES = 40, 6
CPU = torch.device("cpu")
KERNELS = ("prepare", "gather", "anchors", "symmetrise", "scatter")


class Kernel:
    """Stand-in for a kernel of Triton; it records the arguments of every launch."""

    def __init__(self, calls: list[tuple[Any, ...]]) -> None:
        self.calls = calls

    def __getitem__(self, grid: tuple[int, ...]) -> Any:
        return functools.partial(self.launch, grid)

    def launch(self, grid: tuple[int, ...], *arguments: Any, **options: int) -> "Kernel":
        self.calls.append((grid[0], *arguments))
        return self


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("want_gradient", [False, True])
def test_later_launches_get_the_addresses_of_what_the_first_one_got(raw: bool, want_gradient: bool) -> None:
    calls: list[tuple[Any, ...]] = []
    plan = module._Plan(CPU, BATCH, FEATURES, raw, torch.float32, "negative_unit_l2", want_gradient)
    for name in KERNELS:
        getattr(plan, name).kernel = Kernel(calls)
    z, group = torch.randn(BATCH, FEATURES), torch.rand(BATCH) if raw else torch.arange(BATCH)
    for _ in range(2):
        plan.run(z, group, 2.5)
    half = len(calls) // 2
    assert half == (5 if want_gradient else 4)
    for first, later in zip(calls[:half], calls[half:], strict=True):
        assert len(first) == len(later)
        for before, after in zip(first, later, strict=True):
            if isinstance(before, Tensor):
                assert isinstance(after, int)
                assert after % 8 == 0
            else:
                assert before == after
    for kernel, name in ((calls[half], "prepare"), (calls[half + 1], "gather")):
        assert kernel[1] == z.data_ptr(), name
    index = calls[half][4]
    assert calls[half + 1][2] == index == calls[half + 2][3]
    starts = [calls[half][4], calls[half][3], calls[half][5], calls[half + 1][6], calls[half + 3][3]]
    assert [start - starts[0] for start in starts] == plan.offsets


@pytest.mark.parametrize("raw", [False, True])
def test_parts_of_the_shared_allocation_do_not_overlap(raw: bool) -> None:
    plan = module._Plan(CPU, BATCH, FEATURES, raw, torch.float32, "cosine", True)
    parts = plan._split(torch.empty(plan.bytes, dtype=torch.uint8))
    assert [len(part) for part in parts] == [3 * BATCH + (0 if raw else 1024), BATCH, FEATURES, 5 * BATCH, 2 * BATCH]
    ends = [part.data_ptr() + part.nbytes for part in parts]
    assert all(end <= after.data_ptr() for end, after in zip(ends, parts[1:], strict=False))
    assert all((part.data_ptr() - parts[0].data_ptr()) % 256 == 0 for part in parts)


def test_each_thread_reads_through_memory_of_its_own() -> None:
    assert module._MAIL.of(CPU)[0] is module._MAIL.of(CPU)[0]
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(module._MAIL.of, CPU).result()[0]
    assert other is not module._MAIL.of(CPU)[0]


def test_memory_from_an_evaluation_serves_a_training() -> None:
    mail = module._Mail()
    with torch.inference_mode():
        mail.of(CPU)
    mail.of(CPU)[0].copy_(torch.ones(4))
    assert mail.of(CPU)[0].tolist() == [1] * 4


@pytest.mark.parametrize("number", [1 / 3, 1e-5, 12345.678])
def test_two_numbers_of_float32_hold_one_of_float64(number: float) -> None:
    halves = torch.tensor(module._halves(number), dtype=torch.float32)
    assert float(halves.double().sum()) == pytest.approx(number, rel=1e-14)
