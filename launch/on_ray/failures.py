"""Causes of failed trials of Ray."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ray import cloudpickle

from groupdir.errors import GroupdirError
from launch.on_ray import private

if TYPE_CHECKING:
    from ray.tune.experiment import Trial


def cause_of(trial: Trial) -> BaseException | None:
    """Return the last exception that a trial raised in its worker, or None if it has not failed."""
    path = private.error_file(trial)
    if path is None:
        return None
    return private.cause_in_worker(cloudpickle.loads(Path(path).read_bytes()))


def reason(error: BaseException) -> str:
    """Return one line that says why a trial failed."""
    lines = [line for line in str(error).strip().splitlines() if line.strip()] or ["no message"]
    text = lines[0] if isinstance(error, GroupdirError) else f"{type(error).__name__}: {lines[-1]}"
    return text.strip()
