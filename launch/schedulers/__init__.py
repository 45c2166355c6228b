"""Schedulers, free of Ray: they only decide. A study names one, and `launch.on_ray.scheduler` passes it to Ray."""

from __future__ import annotations

from typing import Any, cast

from groupdir.config.search import SearchConfig
from groupdir.registry import load, resolve
from launch.schedulers.base import Decision, Scheduler

__all__ = ["Decision", "ParetoASHA", "Scheduler", "make_scheduler"]


def make_scheduler(search: SearchConfig) -> Scheduler:
    """Return a new scheduler of the kind that a study names, with the options of the study."""
    cls = cast("type[Scheduler]", resolve("scheduler", search.scheduler.name))
    return cls.from_config(search)


def __getattr__(name: str) -> Any:
    """Load `ParetoASHA` on first use, because it needs Ray and the rest of this package does not."""
    if name == "ParetoASHA":
        return load("launch.on_ray.pareto_asha:ParetoASHA")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
