"""Estimates of the time left at several moments of simulated searches, as a ratio to the true time left.

A ratio of 1 is right, 0.5 says half of the time that is left. The searches replay the recorded curves of the digits.
`mean of ended` multiplies the mean seconds of the ended trials by the number of the others, for comparison.
    python tests/bench/bench_time_left.py [--quick]
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from groupdir.config.space import StudyConfig
from groupdir.study.events import Event
from groupdir.study.state import StudyState, fold
from launch.screen.time_left import TimeLeft
from launch.simulation.clock import Clock
from launch.simulation.curves import Curves, load_curves
from launch.simulation.searches import with_search
from launch.simulation.simulated_study import SimulatedStudy
from launch.simulation.surrogate import Nearest, Source
from launch.study.memory_store import MemoryStore

ROOT = Path(__file__).resolve().parents[2]
MOMENTS = (0.1, 0.25, 0.5, 0.75, 0.9)
SEARCHES: dict[str, dict[str, Any]] = {
    "stop": {"scheduler": {"name": "pareto_asha", "grace_period": 2, "reduction_factor": 3}},
    "promote": {"scheduler": {"name": "pareto_asha", "grace_period": 2, "reduction_factor": 3, "mode": "promote"}},
    "asha": {"scheduler": {"name": "asha", "grace_period": 2, "reduction_factor": 3}},
    "none": {"scheduler": {"name": "none"}},
    "stop, then confirm": {
        "scheduler": {"name": "pareto_asha", "grace_period": 2, "reduction_factor": 3},
        "confirm": {"share": 0.25, "stop": 0.99},
    },
}


def simulated(config: StudyConfig, source: Source, workers: int, seed: int) -> list[Event]:
    """The events of a search, with the virtual time of each."""
    clocks: list[Clock] = []
    store = MemoryStore(lambda: clocks[0].now if clocks else 0.0)
    store.append("driver", payload={"action": "start", "pid": 1})
    clocks.append(Clock(SimulatedStudy(config, store=store), source, workers, seed))
    for _ in clocks[0].run():
        pass
    return store.list


def ratios(config: StudyConfig, events: list[Event]) -> Iterator[tuple[float, float, float]]:
    """Moment, as a share of the search, with the ratios of the estimate and of the mean of the ended trials."""
    state, left, end = StudyState(), TimeLeft(config), events[-1].time
    seen = 0
    for moment in MOMENTS:
        now = moment * end
        while events[seen].time <= now:
            fold(state, events[seen])
            seen += 1
        yield moment, left.estimate(state, now) / (end - now), mean_of_ended(state, config) / (end - now)


def mean_of_ended(state: StudyState, config: StudyConfig) -> float:
    """The mean seconds of the ended trials, times the number of the others, at the pace so far."""
    trials = state.trials.values()
    ended = [trial.seconds for trial in trials if trial.status in ("finished", "stopped", "failed")]
    spent = sum(trial.seconds for trial in trials)
    if not ended or not spent:
        return math.nan
    mean = sum(ended) / len(ended)
    begun = sum(min(trial.seconds, mean) for trial in trials if trial.status == "running")
    total = config.search.trials + (state.round.trainings if state.round else 0)
    return max(0.0, mean * (total - len(ended)) - begun) * state.elapsed(state.last_time) / spent


def row(values: list[float]) -> str:
    """Median and range of the finite ratios."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return f"{'no estimate':>24}  n = 0 of {len(values)}"
    return f"{median(finite):6.2f} [{min(finite):5.2f}, {max(finite):6.2f}]  n = {len(finite)} of {len(values)}"


def main() -> None:
    """Run the searches and print a line for each kind and moment."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="one seed instead of five")
    options = parser.parse_args()
    curves: Curves = load_curves([ROOT / "tests/data/digits_curves.parquet"])
    for name, search in SEARCHES.items():
        found: dict[float, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
        for seed in range(1 if options.quick else 5):
            for workers, trials in ((1, 20), (4, 20), (4, 60), (16, 60)):
                changes = {**search, "trials": trials, "seed": seed, "sampler": {"name": "random"}}
                config = with_search(curves.config, changes)
                events = simulated(config, Nearest(curves), workers, seed)
                for moment, estimate, mean in ratios(config, events):
                    found[moment][0].append(estimate)
                    found[moment][1].append(mean)
        for moment, (estimates, means) in found.items():
            print(f"{name:20s} at {moment:4.0%}: {row(estimates)};  mean of ended: {row(means)}")


if __name__ == "__main__":
    main()
