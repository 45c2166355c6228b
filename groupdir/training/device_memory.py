"""The part of a GPU's memory that a trial may take where several share the card, and whether the trial fits into it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from groupdir.errors import DeviceMemoryError

GIB = 1024**3
CONTEXT = GIB // 2
"""Bytes that every process on a card takes beside its tensors, for kernels and library handles."""


def limit(device: torch.device, share: float) -> None:
    """Holds this process to its part of a card, so that it is the one that fails where it asks for more.

    Args:
        device: A CUDA device.
        share: Of the card, such as 0.25.
    """
    total = torch.cuda.get_device_properties(device).total_memory
    share = share if share >= 1 else share - CONTEXT / total
    torch.cuda.set_per_process_memory_fraction(max(0.0, share), device)


def free_bytes(device: torch.device) -> int:
    """What this process may still take of a CUDA device."""
    free, total = torch.cuda.mem_get_info(device)
    allowed = torch.cuda.get_per_process_memory_fraction(device) * total
    return max(0, min(int(allowed) - torch.cuda.memory_reserved(device), free))


@contextlib.contextmanager
def told(device: torch.device, share: float) -> Iterator[None]:
    """Says in numbers what came where a card's memory does not suffice.

    Args:
        device: The trial's.
        share: Of the card that it may take; 1 for all.

    Raises:
        DeviceMemoryError: Instead of torch's `OutOfMemoryError`.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        asked = (*str(error).split(". "), "")[1] or str(error)  # after "CUDA out of memory"
        had = torch.cuda.max_memory_reserved(device) / GIB
        todo = f"search.resources.gpu larger than {share:g}" if share < 1 else "set train.amp to bf16"
        raise DeviceMemoryError(
            f"train.batch_size: the trial must fit into {_part(device, share)}, but had {had:.1f} GiB when it asked "
            f"for more ({asked}): make it smaller, or {todo}"
        ) from error


def _part(device: torch.device, share: float) -> str:
    total = torch.cuda.get_device_properties(device).total_memory / GIB
    name = torch.cuda.get_device_name(device)
    if share >= 1:
        return f"the {total:.1f} GiB of {name}"
    return (
        f"{share * total - CONTEXT / GIB:.1f} GiB, which is {share:g} of the {total:.1f} GiB of {name} less its context"
    )
