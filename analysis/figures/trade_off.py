"""Figure of the trade-off of one study, for print."""

from __future__ import annotations

import io
import itertools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.estimates import metric_of, shown_metrics
from analysis.front import estimated_rows, find_front
from analysis.load import StudyResults
from analysis.pareto import pareto_front
from analysis.select import choices
from groupdir.files.study_files import HIGH, LOW, MEAN, TRAININGS
from groupdir.files.write_whole import write_whole
from groupdir.metrics import parse_metric, sign
from groupdir.values.values import CONFIDENCE
from groupdir.values.words import no_interval_text, trainings_text

TRIAL = "trial"
"""Axis with the numbers of the trials, for a study with one metric."""

FRONT, BAR, FAINT = "#c2410c", "#fdba74", "#94a3b8"


def metric_label(metric: str) -> str:
    """Return a metric's name for an axis.

    >>> metric_label("val_mae_few"), metric_label("val_group_accuracy")
    ('validation MAE, few', 'validation group accuracy')
    """
    split, kind, shot, _ = parse_metric(metric)
    return f"{'validation ' if split == 'val' else ''}{kind.title}{f', {shot}' if shot else ''}"


def front_figure(study: StudyResults, path: str | Path) -> Path:
    """Draw the few-shot against the many-shot metric of all configurations that finished.

    Where a shot has no validation sample, other metrics of the study take its place, or else the number of the trial.
    Points are estimates, and faint crosses are the raw values that the search saw. A line joins the front of these two
    estimates. Filled points are on the study's front over all objectives. Their bars, and those of the points that a
    rule chooses, are the intervals. A point that a rule chooses carries the name of the rule.

    Args:
        study: Results of the study.
        path: File to write. Its suffix gives the format: .png, .svg or .pdf.

    Raises:
        DataError: If no trial finished.
    """
    path = Path(path)
    front, rows = find_front(study), estimated_rows(study)
    across, up = _axes_of(study, rows)
    chosen = {rule: int(rows["trial"].iloc[choice.index]) for rule, choice in choices(study).items()}
    points = rows[[_column(across), _column(up)]].to_numpy(dtype=np.float64)
    shown = np.isfinite(points).all(axis=1)
    rows, points = rows[shown], points[shown]
    on_front = rows["trial"].isin(front["trial"]).to_numpy()
    barred = on_front | rows["trial"].isin(chosen.values()).to_numpy()

    figure = Figure(figsize=(6.4, 4.6), dpi=160, layout="constrained")
    axes = figure.add_subplot()
    axes.scatter(
        rows[across],
        rows[up],
        s=14,
        marker="x",
        linewidths=0.7,
        color=FAINT,
        zorder=1,
        label="raw values of the search",
    )
    axes.errorbar(
        points[barred, 0], points[barred, 1], xerr=_bars(rows[barred], across), yerr=_bars(rows[barred], up),
        fmt="none", ecolor=BAR, elinewidth=0.8, zorder=2,
    )  # fmt: skip
    if across != TRIAL:
        line = points[pareto_front(points * [sign(across), sign(up)])]
        line = line[np.argsort(line[:, 0])]
        axes.plot(line[:, 0], line[:, 1], color=FRONT, linewidth=1.4, zorder=3, label="front of these two estimates")
    axes.scatter(
        points[~on_front, 0], points[~on_front, 1], s=26, facecolors="white", edgecolors="#64748b", zorder=4,
        label="other configurations",
    )  # fmt: skip
    axes.scatter(points[on_front, 0], points[on_front, 1], s=34, color=FRONT, zorder=4, label="on the study's front")
    places = dict(zip(rows["trial"].tolist(), points.tolist(), strict=True))
    _name_choices(axes, {rule: places[trial] for rule, trial in chosen.items() if trial in places})
    axes.set(xlabel=TRIAL if across == TRIAL else metric_label(across), ylabel=metric_label(up))
    axes.set_title(f"{study.name}: {len(rows)} configurations, {len(front)} on the front", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e2e8f0", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(0.1)
    axes.legend(frameon=False, fontsize=8, title=_meaning(rows, up), title_fontsize=8, alignment="left")
    image = io.BytesIO()
    figure.savefig(image, format=path.suffix.lstrip(".").lower() or "png")
    return write_whole(path, image.getvalue())


def _axes_of(study: StudyResults, rows: pd.DataFrame) -> tuple[str, str]:
    """Return the metrics of the two axes: many and few shots if possible, else two others, else the trial and one.

    A pair is possible if a configuration has both.
    """
    shots = [metric_of(study, "many"), metric_of(study, "few")]
    names = [name for name in dict.fromkeys([*shots, *shown_metrics(study)]) if MEAN + name in rows]
    known = {name: np.isfinite(rows[MEAN + name].to_numpy(dtype=np.float64)) for name in names}
    for across, up in itertools.combinations(names, 2):
        if (known[across] & known[up]).any():
            return across, up
    return TRIAL, next(iter(study.objectives))


def _column(axis: str) -> str:
    return axis if axis == TRIAL else MEAN + axis


def _meaning(rows: pd.DataFrame, metric: str) -> str:
    """Return what points and bars are, and how many seeds they stand on."""
    fewest, most = int(rows[TRAININGS].min()), int(rows[TRAININGS].max())
    seeds = trainings_text(most) if fewest == most else f"{trainings_text(fewest)} to {trainings_text(most)}"
    if not np.isfinite(rows[LOW + metric]).any():
        return f"raw values, {seeds} each:\n{no_interval_text()}"
    return f"estimates from {seeds} each, bars hold {CONFIDENCE:.0%}".replace("%", " %")


def _bars(rows: pd.DataFrame, metric: str) -> npt.NDArray[np.float64]:
    """Return the lengths `(2, rows)` of the bars below and above the estimates, 0 without an interval."""
    if metric == TRIAL:
        return np.zeros((2, len(rows)))
    low, mean, high = rows[[LOW + metric, MEAN + metric, HIGH + metric]].to_numpy(dtype=np.float64).T
    return np.asarray(np.nan_to_num(np.maximum([mean - low, high - mean], 0.0)))


def _name_choices(axes: Axes, places: Mapping[str, list[float]]) -> None:
    """Write the names of the rules next to the points that they choose. Several rules may choose one point."""
    rules: dict[tuple[float, ...], list[str]] = {}
    for rule, point in places.items():
        rules.setdefault(tuple(point), []).append(rule)
    for (x, y), names in rules.items():
        axes.annotate(
            ", ".join(names), (x, y), xytext=(6, 6), textcoords="offset points", fontsize=8, zorder=5,
        )  # fmt: skip
