"""Caps on a GPU's memory. Torch's checks of its arguments run here; only its calls of the driver are replaced."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from groupdir.errors import DeviceMemoryError
from groupdir.training.device_memory import CONTEXT, GIB, explain_out_of_memory, free_bytes, limit


@pytest.fixture
def caps(monkeypatch: pytest.MonkeyPatch) -> dict[int, float]:
    """The cap of each of two cards of 10 GiB, of which the second is the current one."""
    caps = {0: 1.0, 1: 1.0}
    monkeypatch.setattr(torch.cuda.memory, "_lazy_init", lambda: None)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=10 * GIB))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (9 * GIB, 10 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: GIB)
    set_cap = lambda fraction, index: caps.__setitem__(index, fraction)  # noqa: E731
    monkeypatch.setattr(torch._C, "_cuda_setMemoryFraction", set_cap, raising=False)
    monkeypatch.setattr(torch._C, "_cuda_getMemoryFraction", caps.__getitem__, raising=False)
    return caps


@pytest.mark.parametrize(("name", "index"), [("cuda", 1), ("cuda:0", 0), ("cuda:1", 1)])
def test_a_share_caps_the_named_or_the_current_card(name: str, index: int, caps: dict[int, float]) -> None:
    device = torch.device(name)
    limit(device, 0.25)
    assert caps == {1 - index: 1.0, index: pytest.approx(0.25 - CONTEXT / (10 * GIB))}
    left = int(1.5 * GIB) - CONTEXT
    assert free_bytes(device) == pytest.approx(left, abs=1), "2.5 GiB without the context and the reserved one"
    limit(device, 1.0)
    assert caps[index] == 1.0
    assert free_bytes(device) == 9 * GIB, "no more than the card has free"


def test_a_share_below_the_context_leaves_nothing(caps: dict[int, float]) -> None:
    limit(torch.device("cuda"), 0.01)
    assert caps[1] == 0
    assert free_bytes(torch.device("cuda")) == 0


@pytest.mark.parametrize(
    "text",
    [
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`\nSearch for it",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "GET was unable to find an engine to execute this computation",
    ],
)
def test_a_library_that_lacks_memory_is_explained_too(
    text: str, caps: dict[int, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: GIB)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a card")
    with pytest.raises(DeviceMemoryError) as error, explain_out_of_memory(torch.device("cuda"), 0.25):
        raise RuntimeError(text)
    assert text.splitlines()[0] in str(error.value)
    assert "raise search.resources.gpu above 0.25" in str(error.value)


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match=r"^mat1 and mat2"), explain_out_of_memory(torch.device("cuda"), 0.25):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")
