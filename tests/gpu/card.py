"""What a card reports about itself: its memory in use, and the share of the time in which it is busy."""

from __future__ import annotations

import threading
import time
from typing import Self

import torch


def missing() -> str:
    """Return why a card cannot be asked, or "". Without a card there is nothing to ask."""
    if not torch.cuda.is_available():
        return "needs a card"
    try:
        import pynvml  # noqa: F401
    except ModuleNotFoundError:
        return "needs the package nvidia-ml-py"
    return ""


def used_bytes(device: torch.device) -> int:
    """Return the bytes of the card's memory that all processes together use."""
    return int(torch.cuda.device_memory_used(device.index or 0))


class Busy:
    """Thread that asks a card every 0.1 s how busy it was.

    Attributes:
        samples: Pairs of the unix time and the percentage of a period of 0.2 to 1 s in which a kernel ran.
    """

    def __init__(self, device: torch.device) -> None:
        self.samples: list[tuple[float, float]] = []
        self._index = device.index or 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._over.wait(0.1):
            self.samples.append((time.time(), float(torch.cuda.utilization(self._index))))

    def mean(self, begin: float, end: float) -> float:
        """Return the mean percentage between two unix times, NaN without a sample."""
        inside = [percent for at, percent in self.samples if begin <= at <= end]
        return sum(inside) / len(inside) if inside else float("nan")
