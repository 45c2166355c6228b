"""Rows of the benchmark of searches that stand for other tools, and those that need the extra `bench`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from groupdir.config.space import StudyConfig
from launch.simulation.clock import Driver
from launch.simulation.searches import with_search
from launch.simulation.simulated_study import SimulatedStudy
from tests.bench.rivals.moasha import Moasha
from tests.bench.rivals.optuna_study import OptunaDriver, OptunaHyperband

Build = Callable[[StudyConfig], Driver]
INSTALL = 'pip install -e ".[bench]" -c constraints.txt'


def rivals(metric: str = "val_mae_all", longest: int = 30, planned: int | None = None) -> dict[str, Build]:
    """Return how each row is built from a study, whose scheduler gives the grace period and the reduction factor.

    Rows whose package is not installed are in it too; see `left_out`.

    Args:
        metric: Metric whose best value selects the epoch that represents a training.
        longest: Number of epochs of a training.
        planned: Number of trials that SMAC3 is told, by default the study's.
    """
    return {
        "Optuna's TPE": lambda config: OptunaDriver(config, "tpe", metric=metric),
        "Optuna's GP": lambda config: OptunaDriver(config, "gp", metric=metric),
        "Optuna's GP, conditions ignored": lambda config: OptunaDriver(config, "gp", flat=True, metric=metric),
        "Optuna's NSGA-II": lambda config: OptunaDriver(config, "nsga2", metric=metric),
        f"Optuna's TPE + Hyperband on {metric}": lambda config: OptunaHyperband(config, metric, longest),
        "random + Syne Tune's MO-ASHA, ranking corrected": lambda config: _moasha(config, metric, longest),
        "BoTorch's qLogNEHVI": lambda config: _botorch(config, metric),
        "SMAC3's ParEGO": lambda config: _smac(config, planned=planned, metric=metric, longest=longest),
        "SMAC3's ParEGO, one seed": lambda config: _smac(
            config, planned=planned, deterministic=True, metric=metric, longest=longest
        ),
        "SMAC3's ParEGO + Hyperband": lambda config: _smac(
            config, hyperband=True, planned=planned, metric=metric, longest=longest
        ),
    }


def left_out(names: list[str]) -> dict[str, str]:
    """Return the reason for each row whose package is not installed."""
    needs = {"BoTorch": "botorch", "SMAC3": "smac"}
    return {
        name: f"{package} is not installed: {INSTALL}"
        for name in names
        for tool, package in needs.items()
        if name.startswith(tool) and find_spec(package) is None
    }


def _moasha(config: StudyConfig, metric: str, longest: int) -> Driver:
    scheduler = config.search.scheduler
    options = {"grace_period": scheduler.grace_period, "reduction_factor": scheduler.reduction_factor}
    drawn = with_search(config, {"sampler": {"name": "random"}})
    return SimulatedStudy(drawn, metric, make=lambda: Moasha(config.search.objectives, **options, longest=longest))


def _botorch(config: StudyConfig, metric: str) -> Driver:
    from tests.bench.rivals.botorch_search import BotorchDriver

    return BotorchDriver(config, metric)


def _smac(config: StudyConfig, **options: Any) -> Driver:
    from tests.bench.rivals.smac_search import SmacDriver

    return SmacDriver(config, **options)
