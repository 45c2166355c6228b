"""Simulated searches and the quality of their fronts by epochs spent and by wall time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from groupdir.config.space import StudyConfig
from launch.pareto import fronts
from launch.simulation.clock import Clock, Driver, Faults, Tick
from launch.simulation.curves import Curves
from launch.simulation.quality import FrontQuality
from launch.simulation.simulated_study import SimulatedStudy
from launch.simulation.surrogate import Source

TARGET = 0.95
"""Share of the best known hypervolume that a search should reach."""


@dataclass(frozen=True)
class Point:
    """Quality, at one moment, of the front that the finished trials form by the values that they reported.

    Attributes:
        epochs: Epochs spent so far.
        time: Virtual seconds since the start.
        hypervolume: Hypervolume of the front without the noise of the seeds, as a share of the best known one.
    """

    epochs: int
    time: float
    hypervolume: float


@dataclass(frozen=True)
class Result:
    """Result of one simulated search.

    Attributes:
        name: Name of the search method.
        workers: Number of workers.
        seed: Seed of the search.
        points: Quality of the front after each finished trial.
        epochs: Epochs spent in total.
    """

    name: str
    workers: int
    seed: int
    points: tuple[Point, ...]
    epochs: int

    def reached(self, target: float = TARGET) -> float:
        """Return the epochs spent until the front reached a share of the best known hypervolume, infinity for never."""
        return next((float(point.epochs) for point in self.points if point.hypervolume >= target), np.inf)


def with_search(config: StudyConfig, changes: Mapping[str, Any]) -> StudyConfig:
    """Return a study with changes to its `search:` section, without what follows a search and without warm start."""
    content = config.to_dict()
    search = {**content["search"], "confirm": None, "ablations": {}, "warm_start": [], **changes}
    return StudyConfig.from_dict({**content, "search": search})


def run(
    name: str,
    driver: Driver,
    source: Source,
    quality: FrontQuality,
    workers: int,
    seed: int,
    faults: Faults | None = None,
    most_epochs: float = np.inf,
    target: float = np.inf,
) -> Result:
    """Run one simulated search.

    Args:
        name: Name of the search method.
        driver: Search that suggests trials and decides about them.
        source: Source of the simulated trainings.
        quality: Judge of the front.
        workers: Number of trials that run at once.
        seed: Seed of the clock.
        faults: Faults to inject, None for none.
        most_epochs: Number of epochs after which the search ends.
        target: Share of the best known hypervolume at which the search ends.
    """
    clock, done, points = Clock(driver, source, workers, seed, faults), [], []
    for tick in clock.run():
        if tick.finished:
            done.append(tick)
            points.append(Point(tick.epochs, tick.time, quality.of(_front(done, quality))))
            if points[-1].hypervolume >= target:
                break
        if clock.epochs >= most_epochs:
            break
    return Result(name, workers, seed, tuple(points), clock.epochs)


def _front(finished: Sequence[Tick], quality: FrontQuality) -> list[tuple[float, ...]]:
    """Return the objectives without noise of the trials that are on the front by what they reported."""
    on_front = fronts(quality.costs([tick.reported for tick in finished])) == 0
    return [tick.values for tick, shown in zip(finished, on_front, strict=True) if shown]


def simulate(
    curves: Curves,
    source: Source,
    quality: FrontQuality,
    search: Mapping[str, Any],
    workers: int,
    seed: int,
    faults: Faults | None = None,
) -> Result:
    """Run one simulated search with the production study loop, sampler and scheduler.

    Args:
        curves: Recorded study whose space is searched.
        source: Source of the simulated trainings.
        quality: Judge of the front.
        search: Changes to the recorded `search:` section.
        workers: Number of trials that run at once.
        seed: Seed of the sampler and the clock.
        faults: Faults to inject, None for none.
    """
    config = with_search(curves.config, {**search, "seed": seed})
    every = faults.checkpoint_every if faults else config.search.checkpoint_every
    driver = SimulatedStudy(config, checkpoint_every=every)
    name = f"{config.search.sampler.name} + {config.search.scheduler.label}"
    return run(name, driver, source, quality, workers, seed, faults)


def rows(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Return one row per finished trial of each search, for a Parquet file."""
    return [
        {"label": result.name, "workers": result.workers, "seed": result.seed}
        | {"epochs": point.epochs, "time": point.time, "hypervolume": point.hypervolume}
        for result in results
        for point in result.points
    ]


def table(results: Sequence[Result], budgets: Sequence[int]) -> list[list[str]]:
    """Return the lines of a table with the epochs to the target and the hypervolume at some budgets.

    The table has one line for each search method and number of workers. Its numbers are medians over seeds, with the
    lower and upper quartile in brackets.
    """
    lines = [
        ["search", "workers", "seeds", f"epochs to {TARGET:.0%}", *(f"at {budget:,} epochs" for budget in budgets)]
    ]
    for name, workers in dict.fromkeys((result.name, result.workers) for result in results):
        runs = [result for result in results if (result.name, result.workers) == (name, workers)]
        shares = [[_at(result, budget) for result in runs] for budget in budgets]
        reached = _band([result.reached() for result in runs], ",.0f")
        lines.append([name, str(workers), str(len(runs)), reached, *(_band(share, ".3f") for share in shares)])
    return lines


def _at(result: Result, budget: int) -> float:
    return max((point.hypervolume for point in result.points if point.epochs <= budget), default=0.0)


def _band(values: Sequence[float], form: str) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], method="nearest")
    return f"{middle:{form}} [{low:{form}}, {high:{form}}]".replace("inf", "never")
