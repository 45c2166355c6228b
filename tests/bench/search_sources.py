"""Sources of the benchmark of searches: what is searched, what simulated trials report, and what a front is worth."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from groupdir.config.space import StudyConfig
from launch.simulation.curves import Curves, load_curves
from launch.simulation.quality import FrontQuality
from launch.simulation.surrogate import Interpolated, Nearest, Source
from tests.bench.synthetic import EPOCHS, Synthetic

DATA = Path(__file__).resolve().parents[1] / "data"


@dataclass(frozen=True)
class Searched:
    """What the searches of one source share.

    Attributes:
        config: Study whose space and objectives are searched.
        source: Source of the simulated trainings.
        quality: Judge of a front.
        metric: Metric whose best value selects the epoch that represents a training.
        longest: Epochs of a training.
        evidence: False if a setting of ours was chosen on this source.
    """

    config: StudyConfig
    source: Source
    quality: FrontQuality
    metric: str
    longest: int
    evidence: bool


def _recorded(
    name: str, kind: Callable[[Curves, str], Source], evidence: bool, metric: str = "val_mae_all"
) -> Searched:
    curves = load_curves([DATA / f"{name}_curves.parquet"])
    source = kind(curves, metric)
    return Searched(curves.config, source, _judge(curves.config, source), metric, curves.longest, evidence)


def _synthetic() -> Searched:
    source = Synthetic()
    return Searched(source.config, source, _judge(source.config, source), "val_mae_all", EPOCHS, False)


def _judge(config: StudyConfig, source: Source) -> FrontQuality:
    return FrontQuality(source.known(), list(config.search.objectives.values()))


SOURCES: dict[str, Callable[[], Searched]] = {
    "digits, recorded": lambda: _recorded("digits", Nearest, evidence=False),
    "digits, continuous": lambda: _recorded("digits", Interpolated, evidence=False),
    "synthetic": _synthetic,
    "diamonds": lambda: _recorded("diamonds", Interpolated, evidence=True),
    "stsb": lambda: _recorded("stsb", Interpolated, evidence=True, metric="val_mse_all"),
    "faces": lambda: _recorded("faces", Interpolated, evidence=True),
}


def not_recorded(names: Iterable[str]) -> dict[str, str]:
    """Return the reason for each source whose curves are not there."""
    files = {name: DATA / f"{name.partition(',')[0]}_curves.parquet" for name in names if name != "synthetic"}
    return {
        name: f"no tests/data/{path.name}: tests/bench/record_curves.sh writes it"
        for name, path in files.items()
        if not path.exists()
    }


@functools.cache
def searched(name: str) -> Searched:
    """Return a source by its name in `SOURCES`."""
    return SOURCES[name]()
