"""The front that a user of each tool is shown at some moments of a search, and what it is worth without noise."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from groupdir.config.space import StudyConfig
from groupdir.values.of_study import values_of
from launch.pareto import fronts
from launch.simulation.clock import Clock, Driver, Tick
from launch.simulation.searches import Point
from launch.simulation.simulated_study import SimulatedStudy
from tests.bench.search_sources import Searched


def judged(
    driver: Driver, config: StudyConfig, here: Searched, workers: int, seed: int, moments: Iterable[int]
) -> list[Point]:
    """Run a search and return the volume of the front that is shown after each number of epochs in `moments`."""
    clock, finished, points = Clock(driver, here.source, workers, seed), dict[int, Tick](), list[Point]()
    ahead = sorted(moments)
    for tick in clock.run():
        if tick.finished:
            finished[tick.trial] = tick
        while ahead and clock.epochs >= ahead[0]:
            chosen = shown(driver, config, here, finished)
            volume = here.quality.of([finished[trial].values for trial in chosen])
            points.append(Point(ahead.pop(0), clock.now, volume))
        if not ahead:
            break
    return points


def shown(driver: Driver, config: StudyConfig, here: Searched, finished: dict[int, Tick]) -> list[int]:
    """Return the trials on the front that a tool shows: ours by its estimates, others by the reported values.

    Args:
        driver: Search.
        config: Study of the search.
        here: Source of the trainings.
        finished: Finished trials by number.
    """
    trials = sorted(finished)
    if not trials:
        return []
    vectors = [finished[trial].reported for trial in trials]
    if isinstance(driver, SimulatedStudy):
        values = values_of(config, driver.study.state)
        means = np.stack([values.of(name).mean for name in config.search.objectives], axis=1)
        of = dict(zip(values.trials, means.tolist(), strict=True))
        trials = [trial for trial in trials if trial in of]
        vectors = [tuple(of[trial]) for trial in trials]
    best = fronts(here.quality.costs(vectors)) == 0
    return [trial for trial, kept in zip(trials, best, strict=True) if kept]
