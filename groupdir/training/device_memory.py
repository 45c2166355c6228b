"""Memory of a GPU that several trials share: the cap for a process, and the error for a trial that does not fit."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import cast

import torch

from groupdir.errors import DeviceMemoryError

GIB = 1024**3
CONTEXT = GIB * 7 // 8
"""Bytes of the CUDA context: memory that each process needs in addition to its tensors, for kernels and libraries.

`make gpu-check` measures it. On an H200 with CUDA 13.0 and torch 2.11 it was 0.75 GiB; 0.125 GiB are a reserve.
"""

_LIBRARIES = (
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "unable to find an engine to execute this computation",
)
"""Texts of the plain RuntimeErrors of CUDA's libraries when they lack memory for their handles and work spaces.

The last one is cuDNN's: it skips engines whose workspace does not fit, and raises this when none remains.
"""


def limit(device: torch.device, share: float) -> None:
    """Cap the memory of this process, so that only a trial that exceeds its share fails, and not its neighbours.

    The cap for tensors is the share of the memory minus `CONTEXT`; the whole GPU (share 1) has no cap.

    Args:
        device: A CUDA device.
        share: Share of the GPU, such as 0.25.
    """
    total = torch.cuda.get_device_properties(device).total_memory
    share = share if share >= 1 else share - CONTEXT / total
    torch.cuda.set_per_process_memory_fraction(max(0.0, share), _index(device))


def free_bytes(device: torch.device) -> int:
    """Return how many more bytes of a CUDA device this process may reserve, under its cap and the free memory."""
    free, total = torch.cuda.mem_get_info(device)
    allowed = torch.cuda.get_per_process_memory_fraction(_index(device)) * total
    return max(0, min(int(allowed) - torch.cuda.memory_reserved(device), free))


def _index(device: torch.device) -> int:
    """Return the number of a CUDA device, because torch sets and reads no cap of a device without one ("cuda")."""
    index = cast("int | None", device.index)  # torch declares an int
    return torch.cuda.current_device() if index is None else index


@contextlib.contextmanager
def explain_out_of_memory(device: torch.device, share: float) -> Iterator[None]:
    """Turn an out-of-memory error into one that states the memory in numbers and says what to do.

    Args:
        device: The device of the trial.
        share: Share of the GPU that the trial may use, such as 0.25; 1 for the whole GPU.

    Raises:
        DeviceMemoryError: If torch or a library of CUDA lacks memory in the context.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and not any(text in str(error) for text in _LIBRARIES):
            raise
        line = str(error).splitlines()[0]
        request = (*line.split(". "), "")[1] or line  # the sentence after "CUDA out of memory", which says how much
        held = torch.cuda.max_memory_reserved(device) / GIB
        advice = f"raise search.resources.gpu above {share:g}" if share < 1 else "set train.amp to bf16"
        raise DeviceMemoryError(
            f"the trial does not fit into {_allowed(device, share)}: it held {held:.1f} GiB and asked for more "
            f"({request}): reduce train.batch_size, or {advice}"
        ) from error


def _allowed(device: torch.device, share: float) -> str:
    """Return a text about the memory that a share of a GPU gives a trial."""
    total = torch.cuda.get_device_properties(device).total_memory / GIB
    name = torch.cuda.get_device_name(device)
    if share >= 1:
        return f"the {total:.1f} GiB of {name}"
    return (
        f"{share * total - CONTEXT / GIB:.1f} GiB, which is {share:g} of the {total:.1f} GiB of {name} minus "
        f"{CONTEXT / GIB:g} GiB for the CUDA context"
    )
