"""Interactive plots of one study, for its report."""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from analysis.estimates import metric_of
from analysis.figures.trade_off import BAR, FAINT, FRONT, metric_label
from analysis.front import estimated_rows, value_of
from analysis.load import StudyResults, short_text
from analysis.page.thinning import spaced, thinned
from groupdir.files.study_files import HIGH, LOW, MEAN, TRAININGS
from groupdir.metrics import ALL
from groupdir.values.words import trainings_text, value_text

FINISHED, STOPPED, CHOSEN = "#2563eb", "#94a3b8", "#111827"
_LAYOUT: dict[str, Any] = {
    "template": "plotly_white",
    "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#1f2937"},
    "margin": {"l": 60, "r": 20, "t": 40, "b": 55},
    "hoverlabel": {"align": "left"},
}

SHARE_TEXTS = """
var plot = document.getElementById("{plot_id}"), traces = [], texts = [];
plot.data.forEach(function (trace, index) {
  if (trace.meta !== undefined) { traces.push(index); texts.push(plot.data[trace.meta].text); }
});
if (traces.length) { Plotly.restyle(plot, {text: texts}, traces); }
"""
"""Script of a page that gives traces the hover texts of another trace, whose index is their `meta`."""


def front_plot(study: StudyResults, front: pd.DataFrame) -> go.Figure:
    """Return the plot of every pair of objectives.

    Finished configurations are drawn at their estimates, and those on the front with their intervals. Stopped trials
    and faint points are raw values, as the search saw them. The hover texts of a trial are in its first trace only,
    because they are most of the plot's size; a page needs `SHARE_TEXTS` too.
    """
    objectives = list(study.objectives)
    pairs = list(itertools.combinations(objectives, 2)) or [("trial", objectives[0])]
    figure = make_subplots(rows=1, cols=len(pairs), horizontal_spacing=0.09)
    rows, stopped = estimated_rows(study), study.searched[study.searched["status"] == "stopped"]
    finished = rows[~rows["trial"].isin(front["trial"])]
    total = {"stopped": len(stopped), "finished": len(finished)}
    stopped, finished = thinned(stopped), thinned(finished)
    groups = [
        ("stopped", stopped, "", STOPPED, "x-thin-open", 7),
        ("finished", finished, MEAN, FINISHED, "circle-open", 8),
        ("on the front", front, MEAN, FRONT, "diamond", 10),
        ("raw values of the front", front, "", FAINT, "diamond-open", 7),
    ]
    first: dict[int, int] = {}  # id of a group's rows -> index of the trace that has their texts
    for column, (across, up) in enumerate(pairs, 1):
        for name, group, prefix, colour, symbol, size in groups:
            barred = prefix == MEAN and group is front
            source = first.setdefault(id(group), len(figure.data))
            own = source == len(figure.data)
            figure.add_scatter(
                x=_column(group, across, prefix),
                y=_column(group, up, prefix),
                error_x=_error_bars(group, across) if barred else None,
                error_y=_error_bars(group, up) if barred else None,
                mode="markers",
                name=f"{name} ({total.get(name, len(group))})",
                legendgroup=name,
                showlegend=column == 1,
                marker={"color": colour, "symbol": symbol, "size": size, "line": {"width": 1.5, "color": colour}},
                text=[_hover(study, row) for row in group.to_dict("records")] if own else None,
                meta=None if own else source,
                hovertemplate="%{text}<extra></extra>",
                row=1,
                col=column,
            )
        figure.update_xaxes(title_text=_axis(across), range=_window(rows, front, across), row=1, col=column)
        figure.update_yaxes(title_text=_axis(up), range=_window(rows, front, up), row=1, col=column)
    legend = {"orientation": "h", "y": 1.14, "x": 0}
    return figure.update_layout(**_LAYOUT, height=400, legend=legend)


def _column(rows: pd.DataFrame, metric: str, prefix: str) -> pd.Series[Any]:
    return rows[metric if metric == "trial" else prefix + metric]


def _error_bars(rows: pd.DataFrame, metric: str) -> dict[str, Any] | None:
    """Return the intervals of an axis as error bars, or None if no estimate has an interval."""
    if metric == "trial" or not np.isfinite(rows[LOW + metric]).any():
        return None
    above, below = rows[HIGH + metric] - rows[MEAN + metric], rows[MEAN + metric] - rows[LOW + metric]
    style = {"type": "data", "symmetric": False, "thickness": 1, "width": 0, "color": BAR}
    return {**style, "array": above.tolist(), "arrayminus": below.tolist()}


def parallel_plot(study: StudyResults, front: pd.DataFrame) -> go.Figure:
    """Return the plot with one line per trial through its parameters and objectives. The front is coloured."""
    rows = study.searched[study.searched["status"].isin(["finished", "stopped"])]
    rows = rows[np.isfinite(rows[list(study.objectives)].to_numpy(dtype=np.float64)).all(axis=1)]
    on_front = rows["trial"].isin(front["trial"])
    others = [thinned(rows[~on_front & (rows["status"] == status)]) for status in ("stopped", "finished")]
    rows = pd.concat([*others, rows[on_front]])  # the front is drawn last, above the others
    order = np.repeat([0, 1], [sum(map(len, others)), int(on_front.sum())])
    values = {
        name: [study.params[int(trial)].get(name, _ABSENT) for trial in rows["trial"]] for name in study.param_names
    }
    dimensions = [_dimension(name, column) for name, column in values.items()]
    dimensions += [
        _dimension(objective.removeprefix("val_"), rows[objective].tolist()) for objective in study.objectives
    ]
    scale = [[0, "#cbd5e1"], [0.5, "#cbd5e1"], [0.5, FRONT], [1, FRONT]]
    line = {"color": order.tolist(), "colorscale": scale, "cmin": 0, "cmax": 1}
    hidden = {"size": 1, "color": "rgba(0,0,0,0)"}  # hides the ends of the range, which are among the ticks
    figure = go.Figure(
        go.Parcoords(line=line, dimensions=dimensions, labelfont={"size": 13}, tickfont={"size": 11}, rangefont=hidden)
    )
    return figure.update_layout(**{**_LAYOUT, "margin": {"l": 80, "r": 60, "t": 60, "b": 30}}, height=420)


def curves_plot(study: StudyResults, front: pd.DataFrame, chosen: set[int]) -> go.Figure:
    """Return the plot of the error over all validation samples by epoch.

    Trials on the front are coloured; stopped trials are thin and grey.
    """
    metric = metric_of(study, ALL)
    figure = go.Figure()
    status = study.searched.set_index("trial")["status"]
    on_front = set(front["trial"].tolist())
    epochs = study.epochs[study.epochs["trial"].isin(status.index)]
    for name, wanted, style in (
        ("finished", ["finished"], {"color": "#bfdbfe", "width": 1.0}),
        ("stopped or failed", ["stopped", "failed", "running"], {"color": STOPPED, "width": 0.8}),
    ):
        others = status.index[status.isin(wanted) & ~status.index.isin(on_front)]
        drawn = epochs[epochs["trial"].isin(others[spaced(len(others))])]
        x, y = _joined(drawn, metric)
        figure.add_scatter(x=x, y=y, mode="lines", name=name, line=style, hoverinfo="skip")
    runs = [(int(run["trial"].iloc[0]), run) for _, run in epochs[epochs["trial"].isin(on_front)].groupby("trial")]
    for trial, run in runs:
        width = 3.0 if trial in chosen else 1.6
        label = f"trial {trial}" + (", chosen" if trial in chosen else "")
        style = {"width": width, "color": CHOSEN if trial in chosen else FRONT}
        group = "chosen by a rule" if trial in chosen else "on the front"
        first = all(trace.name != group for trace in figure.data)
        hover = f"{label}<br>epoch %{{x}}: %{{y:.3f}}<extra></extra>"
        figure.add_scatter(
            x=run["epoch"].tolist(),
            y=run[metric].tolist(),
            mode="lines",
            name=group,
            legendgroup=group,
            showlegend=first,
            line=style,
            hovertemplate=hover,
        )
    legend = {"orientation": "h", "y": 1.12, "x": 0}
    return figure.update_layout(
        **_LAYOUT, height=420, legend=legend, xaxis_title="epoch", yaxis_title=metric_label(metric)
    )


def _joined(epochs: pd.DataFrame, metric: str) -> tuple[list[float | None], list[float | None]]:
    """Return the curves of many trials as one line with gaps, because hundreds of lines make a page slow."""
    x: list[float | None] = []
    y: list[float | None] = []
    for _, run in epochs.groupby(["trial", "seed"]):
        x += [*run["epoch"].tolist(), None]
        y += [*run[metric].round(4).tolist(), None]
    return x, y


_ABSENT = object()


def _window(rows: pd.DataFrame, front: pd.DataFrame, metric: str) -> list[float] | None:
    """Return the range of the finished trials and of the intervals of the front, with a margin.

    A trial that was stopped early may have such bad values that all others would be squeezed into a corner.
    """
    estimates = [] if metric == "trial" else [rows[MEAN + metric], front[LOW + metric], front[HIGH + metric]]
    values = np.concatenate([rows[metric], *estimates]).astype(np.float64)
    values = values[np.isfinite(values)]
    if not len(values) or np.ptp(values) == 0:
        return None
    margin = 0.15 * float(np.ptp(values))
    return [float(values.min()) - margin, float(values.max()) + 2 * margin]


def _axis(metric: str) -> str:
    return metric if metric == "trial" else metric_label(metric)


def _hover(study: StudyResults, row: Mapping[Any, Any]) -> str:
    """Return the hover text: trial, objectives and parameters. It is escaped because plotly renders tags."""
    trial = int(row["trial"])
    seeds = trainings_text(int(row.get(TRAININGS, 1)))
    params = [f"{name} = {short_text(value)}" for name, value in study.params[trial].items()]
    head = f"trial {trial}, {row['status']}, {row['epochs']} epochs, {seeds}"
    values = [_hover_value(row, metric) for metric in study.objectives]
    return "<br>".join(html.escape(line) for line in [head, *values, *params])


def _hover_value(row: Mapping[Any, Any], metric: str) -> str:
    if MEAN + metric not in row:
        return f"{metric} = {row[metric]:.4g} raw"
    return f"{metric} = {value_text(value_of(row, metric))}, the search saw {row[metric]:.4g}"


def _dimension(name: str, column: list[Any]) -> dict[str, Any]:
    """Return an axis of numbers or of categories. Numbers that span a factor above 20 have a logarithmic axis."""
    present = [value for value in column if value is not _ABSENT]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in present)
    if not numeric or len(set(present)) <= 1 or len(present) < len(column):
        return _categories(name, column)
    numbers = np.array(column, dtype=np.float64)
    if numbers.min() > 0 and numbers.max() / numbers.min() > 20:
        low, high = math.log10(numbers.min()), math.log10(numbers.max())
        ticks = np.linspace(low, high, 6)
        texts = [f"{10**tick:.2g}" for tick in ticks]
        return {"label": name, "values": np.log10(numbers).tolist(), "tickvals": ticks.tolist(), "ticktext": texts}
    return {"label": name, "values": numbers.tolist()}


def _categories(name: str, column: list[Any]) -> dict[str, Any]:
    def key(value: Any) -> tuple[bool, float, str]:
        number = isinstance(value, int | float)
        return (not number, float(value) if number else 0.0, _category(value))

    names = list(dict.fromkeys(_category(value) for value in sorted(column, key=key)))
    shown = list(range(0, len(names), max(1, len(names) // 12)))  # only some of many values get a label
    return {
        "label": name,
        "values": [names.index(_category(value)) for value in column],
        "range": [-0.3, max(len(names) - 0.7, 0.3)],
        "tickvals": shown,
        "ticktext": [names[index] for index in shown],
    }


def _category(value: Any) -> str:
    text = "–" if value is _ABSENT else short_text(value)
    return text if len(text) <= 18 else text[:17] + "…"
