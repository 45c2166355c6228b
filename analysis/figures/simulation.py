"""Figure of simulated searches: hypervolume by epochs spent and by wall time, with bands over seeds."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.frame import data_frame
from groupdir.errors import DataError
from groupdir.files.parquet import read_parquet
from groupdir.files.study_files import SIMULATION, SIMULATION_FIGURE
from groupdir.files.write_whole import write_whole

COLORS = ("#c2410c", "#1d4ed8", "#15803d", "#7e22ce", "#64748b", "#b45309", "#0e7490", "#be185d")
STEPS = 120


def simulation_figure(folder: str | Path) -> Path:
    """Draw `simulation.png` from `simulation.parquet` of a folder.

    The figure has a row for each number of workers. Lines are medians over seeds. Bands range from the lower to the
    upper quartile.

    Raises:
        DataError: If the file is missing or holds no finished trial.
    """
    folder = Path(folder)
    table, _ = read_parquet(folder / SIMULATION)
    points = data_frame(table)
    if points.empty:
        raise DataError(f"{folder / SIMULATION}: holds no finished trial: run `groupdir simulate` with more trials")
    workers = sorted(points["workers"].unique())
    figure = Figure(figsize=(9.0, 3.0 * len(workers)), dpi=130, layout="constrained")
    for row, axes in zip(workers, figure.subplots(len(workers), 2, squeeze=False), strict=True):
        selected = points[points["workers"] == row]
        for column, (name, label) in enumerate((("epochs", "epochs spent"), ("time", "virtual seconds"))):
            _draw(axes[column], selected, name)
            axes[column].set(xlabel=label, ylabel="hypervolume, share of best known")
            axes[column].set_title(f"{int(row)} workers", loc="left", fontsize=9)
    figure.axes[0].legend(frameon=False, fontsize=7, loc="lower right")
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return write_whole(folder / SIMULATION_FIGURE, drawn.getvalue())


def _draw(axes: Axes, points: pd.DataFrame, name: str) -> None:
    at = np.linspace(0, float(points[name].max()), STEPS)
    for index, (label, runs) in enumerate(points.groupby("label", sort=False)):
        lines = np.stack([_steps(run, name, at) for _, run in runs.groupby("seed")])
        low, middle, high = np.quantile(lines, [0.25, 0.5, 0.75], axis=0)
        color = COLORS[index % len(COLORS)]
        axes.plot(at, middle, color=color, linewidth=1.4, label=str(label))
        axes.fill_between(at, low, high, color=color, alpha=0.15, linewidth=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e2e8f0", linewidth=0.6)


def _steps(run: pd.DataFrame, name: str, at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the best hypervolume of one search at each place of the axis, 0 before its first finished trial."""
    ordered = run.sort_values(name)
    best = np.maximum.accumulate(ordered["hypervolume"].to_numpy(dtype=np.float64))
    place = np.searchsorted(ordered[name].to_numpy(dtype=np.float64), at, side="right") - 1
    return np.where(place >= 0, best[np.maximum(place, 0)], 0.0)
