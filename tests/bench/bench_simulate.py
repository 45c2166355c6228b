"""10,000 trials on 500 virtual workers: how long the production loop takes for them, and what of.

Prints seconds on one core, and the share of a real search's wall time that this is if an epoch takes a second.
    python tests/bench/bench_simulate.py [--quick]
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from groupdir.config.space import load_space
from launch.simulation.clock import Clock
from launch.simulation.searches import with_search
from launch.simulation.simulated_study import SimulatedStudy
from launch.simulation.surrogate import Drawn

ROOT = Path(__file__).resolve().parents[2]
EPOCHS, WORKERS = 30, 500
NAMES = ("val_mae_all", "val_mae_many", "val_mae_median", "val_mae_few")


class Falling:
    """Errors that fall to random floors."""

    name = "falling errors"

    def draw(self, params: Mapping[str, Any], rng: np.random.Generator, used: Collection[Any] = ()) -> Drawn:
        """A training."""
        floors = rng.uniform(2, 8, 4)
        about = {"stage": "fit", "seconds": 1.0}
        rows = [
            about | {name: float(floor + 20 / epoch) for name, floor in zip(NAMES, floors, strict=True)}
            for epoch in range(1, EPOCHS + 1)
        ]
        return Drawn(rows, *[tuple(map(float, floors[1:]))] * 2)

    def known(self) -> list[tuple[float, ...]]:
        """The corner."""
        return [(2.0, 2.0, 2.0)]


def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="1,000 trials")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    trials = 1_000 if options.quick else 10_000
    config = load_space(ROOT / "search_spaces" / "digits.yaml")
    for mode in ("stop", "promote"):
        search = {
            "trials": trials,
            "sampler": {"name": "random"},
            "scheduler": {"name": "pareto_asha", "mode": mode, "grace_period": 1},
        }
        driver = SimulatedStudy(with_search(config, search))
        clock = Clock(driver, Falling(), WORKERS)
        profile = cProfile.Profile()
        begin = time.perf_counter()
        if options.profile:
            profile.enable()
        for _ in clock.run():
            pass
        profile.disable()
        seconds = time.perf_counter() - begin
        events = sum(1 for _ in driver.study.events())
        print(
            f"{mode}: {trials:,} trials on {WORKERS} workers, {clock.epochs:,} epochs, {events:,} events: "
            f"{seconds:.1f} s, {1e6 * seconds / clock.epochs:.0f} us an epoch; {clock.now:,.0f} virtual seconds, "
            f"{seconds / clock.now:.1%} of them"
        )
        if options.profile:
            pstats.Stats(profile).sort_stats("cumulative").print_stats(25)


if __name__ == "__main__":
    main()
