"""Critical-difference diagram: average ranks over data sets, with bars over what cannot be told apart."""

from __future__ import annotations

import io
import math
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.comparison.ranks import AverageRanks
from groupdir.files.study_files import COMPARISON_FIGURE
from groupdir.files.write_whole import make_folder, write_whole

INK, BAR, FAINT = "#0f172a", "#c2410c", "#94a3b8"
LINE = 0.42
"""Height of a line of text, in inches."""


def critical_difference_figure(folder: Path, title: str, panels: dict[str, AverageRanks]) -> Path:
    """Draw `critical_difference.png` into a folder, with one panel per shot, and return its path.

    Source: Demsar 2006, figure 1.
    """
    heights = [_lines(ranks) for ranks in panels.values()]
    figure = Figure(figsize=(8.0, LINE * (sum(heights) + 1)), dpi=130, layout="constrained")
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axis, (shot, ranks) in zip(axes, panels.items(), strict=True):
        _draw(axis, shot, ranks)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return write_whole(make_folder(folder) / COMPARISON_FIGURE, drawn.getvalue())


def _lines(ranks: AverageRanks) -> float:
    """Return the height of a panel, in lines."""
    return 3.0 + math.ceil(len(ranks.labels) / 2) + 0.5 * len(ranks.alike)


def _draw(axes: Axes, shot: str, ranks: AverageRanks) -> None:
    """Draw one panel. The axis of ranks is at height 0; lines of text go down from it."""
    methods = len(ranks.labels)
    side = 0.45 * (methods - 1)  # room for labels on both sides
    axes.set(xlim=(1 - side, methods + side), ylim=(-_lines(ranks) + 2.0, 2.0))
    axes.axis("off")
    axes.plot([1, methods], [0, 0], color=INK, linewidth=1)
    for rank in range(1, methods + 1):
        axes.plot([rank, rank], [0, 0.2], color=INK, linewidth=1)
        axes.text(rank, 0.3, str(rank), ha="center", va="bottom", fontsize=8)
    width = min(ranks.critical, methods - 1.0)
    note = f"{shot}, {ranks.data_sets} data sets; critical difference {ranks.critical:.2f}"
    axes.plot([1, 1 + width], [1.35, 1.35], color=FAINT, linewidth=2.5, solid_capstyle="butt")
    more = " (wider than the axis: no two can be told apart)" if ranks.critical > methods - 1 else ""
    axes.text(1, 1.5, note + more, fontsize=8, va="bottom", color=INK)
    for row, group in enumerate(ranks.alike):
        places = [ranks.ranks[ranks.labels.index(label)] for label in group]
        height = -0.35 - 0.5 * row
        axes.plot([min(places) - 0.03, max(places) + 0.03], [height, height], color=BAR, linewidth=4)
    _labels(axes, ranks, side)


def _labels(axes: Axes, ranks: AverageRanks, side: float) -> None:
    """Draw the names: the better half on the left, from the top down, the others on the right."""
    methods = len(ranks.labels)
    half = math.ceil(methods / 2)
    top = -0.7 - 0.5 * len(ranks.alike)
    for index, (label, rank) in enumerate(zip(ranks.labels, ranks.ranks, strict=True)):
        left = index < half
        height = top - (index if left else methods - 1 - index)
        end = 1 - 0.08 * side if left else methods + 0.08 * side
        axes.plot([rank, rank, end], [0, height, height], color=INK, linewidth=0.9)
        text = f"{label}  {rank:.2f}" if left else f"{rank:.2f}  {label}"
        axes.text(end, height, f" {text} ", ha="right" if left else "left", va="center", fontsize=8)
