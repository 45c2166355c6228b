"""Recorded learning curves: what a simulated trial reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from groupdir.config.space import StudyConfig
from groupdir.errors import DataError
from groupdir.files.parquet import read_parquet, write_parquet
from groupdir.study.read import read_study
from groupdir.study.state import TrialState, selected
from launch.sampling.coordinates import Array, Coordinates


@dataclass(frozen=True)
class Curve:
    """What one training reported.

    Attributes:
        seed: The trial's.
        rows: The epochs of its predicting stages in order: `stage`, `seconds` and the metrics.
    """

    seed: int
    rows: tuple[Mapping[str, Any], ...]


class Curves:
    """The curves of a search space: for each recorded configuration one or more seeds.

    Args:
        config: The study whose space the configurations are of.
        params: Name -> value of each configuration.
        curves: For each configuration its curves; all complete.
    """

    def __init__(
        self, config: StudyConfig, params: Sequence[Mapping[str, Any]], curves: Sequence[Sequence[Curve]]
    ) -> None:
        self.config = config
        self.params = list(params)
        self.curves = list(curves)
        self._coordinates = Coordinates(config.space.parameters)
        self._points = np.stack([self._coordinates.of(item) for item in self.params])

    def nearest(self, params: Mapping[str, Any]) -> int:
        """Index of the recorded configuration next to these parameters.

        The distance is Euclidean; a range counts from 0 to 1 (on its own scale), two different values of a choice are 1
        apart, or by their place where all values are numbers, and a parameter that only one of both has is 1 apart.
        """
        point = self._coordinates.of(params)
        gap = np.abs(self._points - point)
        gap[np.isnan(gap)] = 1.0
        both = np.isnan(self._points) & np.isnan(point)
        gap[both] = 0.0
        return int(np.argmin(np.square(gap).sum(axis=1)))

    def values(self, index: int, metric: str) -> tuple[float, ...]:
        """Objectives of a configuration, each a mean over its seeds of the epoch that `metric` selects."""
        best = [selected(curve.rows, "best", metric) for curve in self.curves[index]]
        return tuple(float(np.mean([row[name] for row in best])) for name in self.config.search.objectives)

    def features(self, params: Mapping[str, Any]) -> Array:
        """Coordinates of a configuration for a regression; -1 where a parameter is not active."""
        return self._coordinates.features(params)

    @property
    def longest(self) -> int:
        """Epochs of the longest curve."""
        return max(len(curve.rows) for curves in self.curves for curve in curves)


def load_curves(paths: Sequence[str | Path]) -> Curves:
    """Reads curves from study folders, or from a file that `write_curves` wrote.

    Configurations with equal parameters are one, with a curve for each seed; trials that did not finish are left out.

    Raises:
        DataError: There is no finished trial, or a path is neither.
    """
    found: dict[str, tuple[Mapping[str, Any], dict[int, Curve]]] = {}
    config: StudyConfig | None = None
    for path in map(Path, paths):
        read, trials = _from_store(path) if path.is_dir() else _from_file(path)
        config = config or read
        for params, curve in trials:
            found.setdefault(repr(sorted(params.items())), (params, {}))[1][curve.seed] = curve
    if config is None or not found:
        raise DataError(f"{', '.join(map(str, paths))}: must hold finished trials, but there are none")
    seeds = [list(curves.values()) for _, curves in found.values()]
    return Curves(config, [params for params, _ in found.values()], seeds)


def write_curves(curves: Curves, path: str | Path) -> None:
    """Writes curves into one Parquet file: validation metrics alone, seconds to the millisecond."""
    rows: list[dict[str, Any]] = []
    for index, seeds in enumerate(curves.curves):
        for curve in seeds:
            for epoch, row in enumerate(curve.rows, start=1):
                kept = {name: round(float(value), 4) for name, value in row.items() if name.startswith("val_")}
                about = {"stage": row["stage"], "seconds": round(float(row["seconds"]), 3)}
                rows.append({"trial": index, "seed": curve.seed, "epoch": epoch} | about | kept)
    params = [dict(item) for item in curves.params]
    write_parquet(path, rows, {"study": curves.config.to_dict(), "params": params})


def _from_file(path: Path) -> tuple[StudyConfig, list[tuple[Mapping[str, Any], Curve]]]:
    table, footer = read_parquet(path)
    if "params" not in footer:
        raise DataError(
            f"{path}: must be a file of recorded curves, got another table: write one with `groupdir export-curves`"
        )
    rows: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for row in table.to_pylist():
        rows.setdefault((row["trial"], row["seed"]), []).append(row)
    trials = [
        (footer["params"][trial], Curve(seed, tuple(sorted(found, key=lambda row: int(row["epoch"])))))
        for (trial, seed), found in rows.items()
    ]
    return StudyConfig.from_dict(footer["study"], str(path)), trials


def _from_store(folder: Path) -> tuple[StudyConfig, list[tuple[Mapping[str, Any], Curve]]]:
    study = read_study(folder)
    done = [trial for trial in study.state.of("search") if trial.complete]
    return study.config, [(trial.params, Curve(trial.seed, _predicting(trial))) for trial in done]


def _predicting(trial: TrialState) -> tuple[Mapping[str, Any], ...]:
    """Return the epochs that predict. A trial that took over a first stage has no rows of that stage."""
    return tuple(row for row in trial.rows if row["predicts"])
