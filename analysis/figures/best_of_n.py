"""Figure of the expected best trial of each row of a benchmark by the number of trials."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.benchmark.best_of_n import BestOfN
from analysis.figures.trade_off import metric_label
from groupdir.errors import DataError
from groupdir.files.study_files import BEST_OF_N_FIGURE
from groupdir.files.write_whole import write_whole

LINE, OTHERS = "#c2410c", "#cbd5e1"
MOST_COLUMNS = 5
PANEL = (2.6, 2.0)
"""Width and height of a panel, in inches."""


def best_of_n_figure(curves: Sequence[BestOfN], path: Path) -> Path:
    """Draw one panel for each row of a benchmark, with the curves of the other rows in grey, and return its file.

    A band is the 95 % interval over blocks. With one block there is no band.

    Args:
        curves: Curves of the rows.
        path: Folder of the benchmark, in which `best_of_n.png` is written, or its pack, next to which it is written.

    Raises:
        DataError: If there is no curve.
    """
    if not curves:
        raise DataError(f"{path}: no search has a finished trial: a grid has no searches, and a search must end first")
    columns = min(MOST_COLUMNS, len(curves))
    lines = math.ceil(len(curves) / columns)
    size = (max(PANEL[0] * columns, 5.2), PANEL[1] * lines + 0.7)  # room for the title
    figure = Figure(figsize=size, dpi=130, layout="constrained")
    blocks = max(curve.blocks for curve in curves)
    band = f"bands: 95 % intervals over {blocks} blocks" if blocks > 1 else "one block, so no bands"
    figure.suptitle(f"expected best of n trials ({band})", fontsize=9, x=0.01, ha="left")
    panels = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
    for axes, curve in zip(panels.flat, curves, strict=False):
        _draw(axes, curve, curves)
    for axes in panels.flat[len(curves) :]:
        axes.axis("off")
    figure.supxlabel("n trials", fontsize=8)
    figure.supylabel(metric_label(curves[0].metric), fontsize=8)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    file = path / BEST_OF_N_FIGURE if path.is_dir() else path.with_name(f"{path.stem}_{BEST_OF_N_FIGURE}")
    return write_whole(file, drawn.getvalue())


def _draw(axes: Axes, curve: BestOfN, curves: Sequence[BestOfN]) -> None:
    """Draw the curve of a row over the curves of the others."""
    for other in curves:
        axes.plot(np.arange(1, len(other.values) + 1), other.values, color=OTHERS, linewidth=0.7)
    trials = np.arange(1, len(curve.values) + 1)
    low, high = curve.values - curve.half_widths, curve.values + curve.half_widths
    axes.fill_between(trials, low, high, color=LINE, alpha=0.2, linewidth=0)
    axes.plot(trials, curve.values, color=LINE, linewidth=1.5)
    axes.set_title(curve.row, loc="left", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e2e8f0", linewidth=0.6)
