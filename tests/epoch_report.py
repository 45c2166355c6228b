"""What an epoch reports next to its metrics, for tests that write events without a training."""

from typing import Any


def report(epoch: int, first: int = 0, seconds: float = 1.0) -> dict[str, Any]:
    """An epoch, counted from 1, of a training with a stage `warmup` of `first` epochs, which predicts nothing."""
    predicts = epoch > first
    return {
        "stage": "fit" if predicts else "warmup",
        "stage_epoch": epoch - first if predicts else epoch,
        "predicts": predicts,
        "fidelity": max(0, epoch - first),
        "seconds": seconds,
    }
