"""Kinds of searches to simulate: every combination of worker counts, schedulers and samplers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from groupdir.errors import ConfigError, DataError
from groupdir.registry import SAMPLERS, SCHEDULERS, did_you_mean
from launch.simulation.clock import Faults
from launch.simulation.curves import Curves
from launch.simulation.surrogate import Interpolated, Nearest, Source

SOURCES: dict[str, Callable[[Curves], Source]] = {"nearest": Nearest, "interpolated": Interpolated}


@dataclass(frozen=True)
class Kinds:
    """Searches to simulate: every combination of the lists.

    Attributes:
        workers: Numbers of trials that run at once.
        schedulers: Names of schedulers. A mode other than the default follows after a colon.
        samplers: Names of samplers.
        trials: Number of trials in each search.
        seeds: Number of searches of each kind.
        source: Name of the source of the simulated trainings.
        faults: Probabilities per epoch of the death of a worker, the loss of a node, and a restart of the driver.
    """

    workers: Sequence[int]
    schedulers: Sequence[str]
    samplers: Sequence[str]
    trials: int
    seeds: int
    source: str
    faults: tuple[float, float, float]

    def check(self) -> None:
        """Refuse unknown names.

        Raises:
            ConfigError: If a name is unknown. The message lists the known names.
        """
        for kind, names, known in (
            ("--scheduler", [name.partition(":")[0] for name in self.schedulers], list(SCHEDULERS)),
            ("--sampler", self.samplers, list(SAMPLERS)),
            ("--source", [self.source], list(SOURCES)),
        ):
            for name in names:
                if name not in known:
                    raise ConfigError(f"{kind}: unknown name '{name}': {did_you_mean(name, known)}")

    def searches(self) -> list[dict[str, Any]]:
        """Return the `search:` section of each combination of scheduler and sampler."""
        sections = []
        for name in self.schedulers:
            kind, _, mode = name.partition(":")
            scheduler = {"name": kind} | ({"mode": mode} if mode else {})
            sections += [
                {"scheduler": scheduler, "sampler": {"name": sampler}, "trials": self.trials}
                for sampler in self.samplers
            ]
        return sections

    def jobs(self) -> list[tuple[dict[str, Any], int, int]]:
        """Return every search as its section, its number of workers and its seed."""
        return [
            (search, workers, seed)
            for search in self.searches()
            for workers in self.workers
            for seed in range(self.seeds)
        ]

    def faults_per_epoch(self) -> Faults:
        """Return the faults to inject."""
        crash, lost, restart = self.faults
        return Faults(crash_rate=crash, lost_rate=lost, restart_rate=restart)

    def source_of(self, curves: Curves) -> Source:
        """Return the source of the simulated trainings.

        Raises:
            DataError: If the source cannot use these curves.
        """
        try:
            return SOURCES[self.source](curves)
        except ValueError as error:
            raise DataError(f"{error}: use --source nearest") from error
