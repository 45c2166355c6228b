"""Rows of the benchmark of searches: ours, random and quasi-random, and what people would search with instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from groupdir.config.space import StudyConfig
from launch.simulation.clock import Driver
from launch.simulation.searches import with_search
from launch.simulation.simulated_study import SimulatedStudy
from tests.bench.rivals.faulty_rules import IndicesAsRanks, NeverHalves, ladder_of
from tests.bench.rivals.ray_tune import RayDriver
from tests.bench.rivals.rows import rivals
from tests.bench.search_sources import Searched

OURS = "hypervolume + ParetoASHA (ours)"
QUASI = "quasi-random + ParetoASHA"
PLAIN = "random, no stopping"
MOST_TRIALS = 100_000
RUNGS: dict[str, Any] = {"grace_period": 5, "reduction_factor": 2}
Build = Callable[[StudyConfig], Driver]


def rows(searched: Searched) -> dict[str, Build]:
    """Return how each row is built from the study of a source with `MOST_TRIALS` trials and the seed of the search."""
    metric = searched.metric
    none, promote, stop = (
        {"name": "none", "metric": metric},
        {"name": "pareto_asha", "metric": metric, "mode": "promote", **RUNGS},
        {"name": "pareto_asha", "metric": metric, "mode": "stop", **RUNGS},
    )

    def ours(sampler: str, scheduler: Mapping[str, Any]) -> Build:
        return lambda config: SimulatedStudy(
            with_search(config, {"sampler": {"name": sampler}, "scheduler": scheduler}), metric
        )

    def faulty(make: Callable[[Any], Any], scheduler: Mapping[str, Any]) -> Build:
        def build(config: StudyConfig) -> Driver:
            changed = with_search(config, {"sampler": {"name": "random"}, "scheduler": scheduler})
            return SimulatedStudy(changed, metric, make=lambda: make(ladder_of(changed)))

        return build

    def other(build: Build, scheduler: Mapping[str, Any]) -> Build:
        return lambda config: build(with_search(config, {"scheduler": scheduler}))

    ray = {optuna: other(lambda config, optuna=optuna: RayDriver(config, optuna, metric), stop) for optuna in (0, 1)}  # type: ignore[misc]
    return {
        OURS: ours("hypervolume", promote),
        QUASI: ours("qmc", promote),
        "quasi-random + ParetoASHA, stop": ours("qmc", stop),
        "quasi-random, no stopping": ours("qmc", none),
        "random + ParetoASHA": ours("random", promote),
        "random + ParetoASHA, stop": ours("random", stop),
        PLAIN: ours("random", none),
        "tpe + ParetoASHA": ours("tpe", promote),
        "random + Ray's ASHA on one metric": ray[False],
        "Ray's OptunaSearch + ASHA as shipped": ray[True],
        "random + faulty: indices as ranks": faulty(IndicesAsRanks, stop),
        "random + faulty: never halves": faulty(NeverHalves, promote),
        **{name: other(build, stop) for name, build in rivals(metric, searched.longest).items()},
    }
