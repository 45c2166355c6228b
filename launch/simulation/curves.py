"""Recorded learning curves, from which simulated trials report."""

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
from groupdir.values.coordinates import Array, Coordinates


@dataclass(frozen=True)
class Curve:
    """Learning curve of one training.

    Attributes:
        seed: Seed of the trial.
        rows: `stage`, `seconds` and the metrics of each epoch of the stages that predict, in order.
    """

    seed: int
    rows: tuple[Mapping[str, Any], ...]


class Curves:
    """Recorded curves of a search space, with one or more seeds for each configuration.

    Args:
        config: Configuration of the recorded study.
        params: Parameters of each recorded configuration.
        curves: Curves of each recorded configuration. All of them are complete.
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
        """Return the index of the recorded configuration nearest to these parameters.

        The distance is Euclidean in the coordinates of `Coordinates`. A coordinate that only one of the two
        configurations has counts as a distance of 1.
        """
        point = self._coordinates.of(params)
        gap = np.abs(self._points - point)
        gap[np.isnan(gap)] = 1.0
        both = np.isnan(self._points) & np.isnan(point)
        gap[both] = 0.0
        return int(np.argmin(np.square(gap).sum(axis=1)))

    def values(self, index: int, metric: str) -> tuple[float, ...]:
        """Return the objectives of a configuration, averaged over its seeds, at the epoch that `metric` selects."""
        best = [selected(curve.rows, "best", metric) for curve in self.curves[index]]
        return tuple(float(np.mean([row[name] for row in best])) for name in self.config.search.objectives)

    def features(self, params: Mapping[str, Any]) -> Array:
        """Return the coordinates `(D,)` of a configuration for a regression, -1 for inactive parameters."""
        return self._coordinates.features(params)

    @property
    def longest(self) -> int:
        """Number of epochs of the longest curve."""
        return max(len(curve.rows) for curves in self.curves for curve in curves)


def load_curves(paths: Sequence[str | Path]) -> Curves:
    """Read curves from study folders or from files of `write_curves`.

    Trials with equal parameters become one configuration with a curve for each seed. Trials that did not finish are
    skipped.

    Raises:
        DataError: If there is no finished trial, or if a path is neither a study folder nor a file of curves.
    """
    recorded: dict[str, tuple[Mapping[str, Any], dict[int, Curve]]] = {}
    config: StudyConfig | None = None
    for path in map(Path, paths):
        read, trials = _from_store(path) if path.is_dir() else _from_file(path)
        config = config or read
        for params, curve in trials:
            recorded.setdefault(repr(sorted(params.items())), (params, {}))[1][curve.seed] = curve
    if config is None or not recorded:
        raise DataError(f"{', '.join(map(str, paths))}: no trial has finished: run the search to its end first")
    seeds = [list(curves.values()) for _, curves in recorded.values()]
    return Curves(config, [params for params, _ in recorded.values()], seeds)


def write_curves(curves: Curves, path: str | Path) -> None:
    """Write the validation metrics and the seconds (in milliseconds' precision) of curves into one Parquet file.

    Of the data's folder only its name is written: no simulation reads it, and a path of one machine says nothing on
    another.
    """
    rows: list[dict[str, Any]] = []
    for index, seeds in enumerate(curves.curves):
        for curve in seeds:
            for epoch, row in enumerate(curve.rows, start=1):
                kept = {name: round(float(value), 4) for name, value in row.items() if name.startswith("val_")}
                about = {"stage": row["stage"], "seconds": round(float(row["seconds"]), 3)}
                rows.append({"trial": index, "seed": curve.seed, "epoch": epoch} | about | kept)
    params = [dict(item) for item in curves.params]
    study = curves.config.to_dict()
    if root := study["data"].get("root"):
        study["data"]["root"] = Path(root).name
    write_parquet(path, rows, {"study": study, "params": params})


def _from_file(path: Path) -> tuple[StudyConfig, list[tuple[Mapping[str, Any], Curve]]]:
    table, footer = read_parquet(path)
    if "params" not in footer:
        raise DataError(f"{path}: not a file of recorded curves: write one with `groupdir export-curves`")
    rows: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for row in table.to_pylist():
        rows.setdefault((row["trial"], row["seed"]), []).append(row)
    trials = [
        (footer["params"][trial], Curve(seed, tuple(sorted(epochs, key=lambda row: int(row["epoch"])))))
        for (trial, seed), epochs in rows.items()
    ]
    return StudyConfig.from_dict(footer["study"], str(path)), trials


def _from_store(folder: Path) -> tuple[StudyConfig, list[tuple[Mapping[str, Any], Curve]]]:
    study = read_study(folder)
    done = [trial for trial in study.state.of("search") if trial.complete]
    return study.config, [(trial.params, Curve(trial.seed, _predicting(trial))) for trial in done]


def _predicting(trial: TrialState) -> tuple[Mapping[str, Any], ...]:
    """Return the rows of the epochs that predict. A trial that took over a shared first stage has no rows of it."""
    return tuple(row for row in trial.rows if row["predicts"])
