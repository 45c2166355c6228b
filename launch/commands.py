"""The commands that start no search: audit, record, simulate."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from groupdir.errors import ConfigError, DataError
from groupdir.files.parquet import write_parquet
from groupdir.files.study_files import SIMULATION
from groupdir.registry import SAMPLERS, SCHEDULERS, did_you_mean
from groupdir.study.read import event_log
from launch.control.audit import audit as audit_events
from launch.schedulers import make_scheduler
from launch.simulation.clock import Faults
from launch.simulation.curves import Curves, load_curves, write_curves
from launch.simulation.quality import FrontQuality
from launch.simulation.searches import rows, table
from launch.simulation.searches import simulate as simulate_one
from launch.simulation.surrogate import Interpolated, Nearest, Source

SOURCES: dict[str, Callable[[Curves], Source]] = {"nearest": Nearest, "interpolated": Interpolated}


def audit(folder: Path) -> int:
    """Makes a study's choices again. 0 if all come out the same, else 1."""
    with event_log(folder) as (config, store):
        search = config.search
        found = audit_events(store.events(), config, lambda: make_scheduler(search))
    print(", ".join(f"{count} {kind}" for kind, count in found.checked.items()) + " made again")
    print("\n".join(found.wrong) or "each follows from the event log")
    return 1 if found.wrong else 0


def record(studies: Sequence[Path], out: Path) -> int:
    """Writes one file of curves."""
    curves = load_curves(studies)
    out.parent.mkdir(parents=True, exist_ok=True)
    write_curves(curves, out)
    trainings = sum(len(seeds) for seeds in curves.curves)
    print(f"wrote {out}: {len(curves.params)} configurations, {trainings} trainings, {out.stat().st_size:,} bytes")
    return 0


@dataclass(frozen=True)
class Simulated:
    """Which searches to simulate: every combination of the lists.

    Attributes:
        workers: Trials at once.
        schedulers: Names, with the mode after a colon where it is not the default.
        samplers: Names.
        trials: Of each search.
        seeds: Searches of each kind.
        source: Name of what trials report.
        faults: Probabilities, per epoch, of the death of a worker, the loss of a node, a restart of the driver.
    """

    workers: Sequence[int]
    schedulers: Sequence[str]
    samplers: Sequence[str]
    trials: int
    seeds: int
    source: str
    faults: tuple[float, float, float]

    def check(self) -> None:
        """Refuses names that nobody knows.

        Raises:
            ConfigError: With what is known.
        """
        for kind, names, known in (
            ("--scheduler", [name.partition(":")[0] for name in self.schedulers], list(SCHEDULERS)),
            ("--sampler", self.samplers, list(SAMPLERS)),
            ("--source", [self.source], list(SOURCES)),
        ):
            for name in names:
                if name not in known:
                    raise ConfigError(f"{kind} {name}: unknown: {did_you_mean(name, known)}")

    def searches(self) -> list[dict[str, Any]]:
        """The `search:` sections."""
        found = []
        for name in self.schedulers:
            kind, _, mode = name.partition(":")
            for sampler in self.samplers:
                scheduler = {"name": kind} | ({"mode": mode} if mode else {})
                found.append({"scheduler": scheduler, "sampler": {"name": sampler}, "trials": self.trials})
        return found


def simulate(studies: Sequence[Path], kinds: Simulated, out: Path) -> int:
    """Simulates searches, prints what they reach, and writes every point and a plot."""
    kinds.check()
    curves = load_curves(studies)
    try:
        source = SOURCES[kinds.source](curves)
    except ValueError as error:
        raise DataError(f"{', '.join(map(str, studies))}: {error}: take --source nearest") from error
    quality = FrontQuality(source.known(), list(curves.config.search.objectives.values()))
    crash, lost, restart = kinds.faults
    faults = Faults(crash_rate=crash, lost_rate=lost, restart_rate=restart)
    print(f"{len(curves.params)} recorded configurations; trials report: {source.name}; epochs are those that predict")
    if isinstance(source, Interpolated):
        shares = ", ".join(f"{name} {share:.2f}" for name, share in source.explained.items())
        print(f"variance of configurations that it explains, each left out once: {shares}")
    print(f"{quality.front_size} on the best known front; hypervolume is a share of its own")
    jobs = [
        (search, workers, seed)
        for search in kinds.searches()
        for workers in kinds.workers
        for seed in range(kinds.seeds)
    ]
    shown = Console(stderr=True)
    results = [
        simulate_one(curves, source, quality, search, workers, seed, faults)
        for search, workers, seed in track(jobs, "simulating", console=shown, disable=not shown.is_terminal)
    ]
    spent = max(result.epochs for result in results)
    lines = table(results, [spent // 4, spent // 2, spent])
    shape = Table(*lines[0])
    for line in lines[1:]:
        shape.add_row(*line)
    Console(width=160 if not sys.stdout.isatty() else None).print(shape)
    out.mkdir(parents=True, exist_ok=True)
    write_parquet(out / SIMULATION, rows(results), {"source": source.name, "studies": [*map(str, studies)]})
    return subprocess.run([sys.executable, "-m", "analysis", "simulation", str(out)], check=False).returncode
