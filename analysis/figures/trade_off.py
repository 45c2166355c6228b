"""Figure of the trade-off of one study, for print."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.load import StudyResults
from analysis.pareto import pareto_front
from analysis.select import choices, costs, find_front, metric_of
from groupdir.errors import DataError
from groupdir.files.write_whole import write_whole
from groupdir.metrics import parse_metric


def metric_label(metric: str) -> str:
    """Return a metric's name for an axis.

    >>> metric_label("val_mae_few"), metric_label("val_group_accuracy")
    ('validation MAE, few', 'validation group accuracy')
    """
    split, kind, shot, _ = parse_metric(metric)
    return f"{'validation ' if split == 'val' else ''}{kind.title}{f', {shot}' if shot else ''}"


def front_figure(study: StudyResults, path: str | Path) -> Path:
    """Draw the few-shot against the many-shot metric of all trials that finished.

    A line joins the front of these two metrics. Filled points are on the study's front over all objectives. A point
    that a rule chooses carries the name of the rule.

    Args:
        study: Results of the study.
        path: File to write. Its suffix gives the format: .png, .svg or .pdf.

    Raises:
        DataError: If no trial finished with both metrics.
    """
    path = Path(path)
    across, up = metric_of(study, "many"), metric_of(study, "few")
    front = find_front(study)
    rows = study.searched[study.searched["status"] == "finished"]
    points = rows.reindex(columns=[across, up]).to_numpy(dtype=np.float64)
    shown = np.isfinite(points).all(axis=1)
    if not shown.any():
        raise DataError(f"{study.folder}: cannot draw the figure: no finished trial has both {across} and {up}")
    rows, points = rows[shown], points[shown]
    on_front = rows["trial"].isin(front["trial"]).to_numpy()
    line = points[pareto_front(costs(rows, [across, up]))]
    line = line[np.argsort(line[:, 0])]

    figure = Figure(figsize=(6.0, 4.2), dpi=160, layout="constrained")
    axes = figure.add_subplot()
    axes.plot(line[:, 0], line[:, 1], color="#c2410c", linewidth=1.4, zorder=1, label="front of these two errors")
    axes.scatter(
        points[~on_front, 0],
        points[~on_front, 1],
        s=26,
        facecolors="white",
        edgecolors="#64748b",
        zorder=2,
        label="finished trials",
    )
    axes.scatter(
        points[on_front, 0], points[on_front, 1], s=34, color="#c2410c", zorder=3, label="on the study's front"
    )
    _name_choices(axes, study, {int(trial): point for trial, point in zip(rows["trial"], points, strict=True)})
    axes.set(xlabel=metric_label(across), ylabel=metric_label(up))
    axes.set_title(f"{study.name}: {len(rows)} finished trials, {len(front)} on the front", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e2e8f0", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.margins(0.1)
    axes.legend(frameon=False, fontsize=8)
    drawn = io.BytesIO()
    figure.savefig(drawn, format=path.suffix.lstrip(".").lower() or "png")
    return write_whole(path, drawn.getvalue())


def _name_choices(
    axes: Axes, study: StudyResults, points: dict[int, np.ndarray[tuple[int], np.dtype[np.float64]]]
) -> None:
    """Write the names of the rules next to the points that they choose. Several rules may choose one point."""
    rules: dict[int, list[str]] = {}
    for rule, trial in choices(study, find_front(study)).items():
        rules.setdefault(trial, []).append(rule)
    for trial, names in rules.items():
        if trial in points:
            x, y = (float(value) for value in points[trial])
            axes.annotate(", ".join(names), (x, y), xytext=(6, 6), textcoords="offset points", fontsize=8, zorder=4)
