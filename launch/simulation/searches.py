"""Many simulated searches: what a study would have found, by epochs spent and by wall time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from groupdir.config.space import StudyConfig
from launch.simulation.clock import Clock, Driver, Faults
from launch.simulation.curves import Curves
from launch.simulation.quality import FrontQuality
from launch.simulation.simulated_study import SimulatedStudy
from launch.simulation.surrogate import Source

TARGET = 0.95


@dataclass(frozen=True)
class Point:
    """The front of the finished trials at a moment.

    Attributes:
        epochs: Spent so far.
        time: Virtual seconds.
        hypervolume: As a share of the best known.
    """

    epochs: int
    time: float
    hypervolume: float


@dataclass(frozen=True)
class Result:
    """One simulated search.

    Attributes:
        name: Of the way to search.
        workers: How many there were.
        seed: Its seed.
        points: Whenever a trial finished.
        epochs: Spent in all.
    """

    name: str
    workers: int
    seed: int
    points: tuple[Point, ...]
    epochs: int

    def reached(self, target: float = TARGET) -> float:
        """Epochs spent when the front came to a share of the best known, infinite where it never did."""
        return next((float(point.epochs) for point in self.points if point.hypervolume >= target), np.inf)


def with_search(config: StudyConfig, changes: Mapping[str, Any]) -> StudyConfig:
    """A study with another `search:` section."""
    content = config.to_dict()
    search = {**content["search"], "ablations": {}, "warm_start": [], **changes}
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
    """One simulated search.

    Args:
        name: Of the way to search.
        driver: What searches.
        source: What trials report.
        quality: What judges the front.
        workers: How many trials run at once.
        seed: Of the clock.
        faults: What goes wrong.
        most_epochs: Where it ends.
        target: Share of the best known hypervolume at which it ends.
    """
    clock, done, points = Clock(driver, source, workers, seed, faults), [], []
    for tick in clock.run():
        if tick.finished:
            done.append(tick.values)
            points.append(Point(tick.epochs, tick.time, quality.of(done)))
            if points[-1].hypervolume >= target:
                break
        if clock.epochs >= most_epochs:
            break
    return Result(name, workers, seed, tuple(points), clock.epochs)


def simulate(
    curves: Curves,
    source: Source,
    quality: FrontQuality,
    search: Mapping[str, Any],
    workers: int,
    seed: int,
    faults: Faults | None = None,
) -> Result:
    """A search with the production objects.

    Args:
        curves: The recorded study, whose space is searched.
        source: What trials report.
        quality: What judges the front.
        search: Changes to the recorded `search:` section.
        workers: How many trials run at once.
        seed: Of sampler and clock.
        faults: What goes wrong.
    """
    config = with_search(curves.config, {**search, "seed": seed})
    every = faults.checkpoint_every if faults else config.search.checkpoint_every
    driver = SimulatedStudy(config, checkpoint_every=every)
    name = f"{config.search.sampler.name} + {config.search.scheduler.label}"
    return run(name, driver, source, quality, workers, seed, faults)


def rows(results: Iterable[Result]) -> list[dict[str, Any]]:
    """One row per finished trial of each search, for a Parquet file."""
    return [
        {"label": result.name, "workers": result.workers, "seed": result.seed}
        | {"epochs": point.epochs, "time": point.time, "hypervolume": point.hypervolume}
        for result in results
        for point in result.points
    ]


def table(results: Sequence[Result], budgets: Sequence[int]) -> list[list[str]]:
    """For each way and number of workers: epochs to the target, and the hypervolume at some budgets.

    Medians over seeds, with the lower and upper quartile in brackets.
    """
    lines = [
        ["search", "workers", "seeds", f"epochs to {TARGET:.0%}", *(f"at {budget:,} epochs" for budget in budgets)]
    ]
    for name, workers in dict.fromkeys((result.name, result.workers) for result in results):
        mine = [result for result in results if (result.name, result.workers) == (name, workers)]
        shares = [[_at(result, budget) for result in mine] for budget in budgets]
        reached = _band([result.reached() for result in mine], ",.0f")
        lines.append([name, str(workers), str(len(mine)), reached, *(_band(share, ".3f") for share in shares)])
    return lines


def _at(result: Result, budget: int) -> float:
    return max((point.hypervolume for point in result.points if point.epochs <= budget), default=0.0)


def _band(values: Sequence[float], form: str) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], method="nearest")
    return f"{middle:{form}} [{low:{form}}, {high:{form}}]".replace("inf", "never")
