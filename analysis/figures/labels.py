"""Figure of a data set's labels: number of training samples of each label, by shot."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from groupdir.errors import DataError
from groupdir.files.write_whole import write_whole
from groupdir.metrics import SHOTS

COLORS = ("#1d4ed8", "#f59e0b", "#c2410c", "#7e22ce", "#64748b")
"""Colours of the shots in their order, with some to spare."""


def label_figure(path: str | Path) -> Path:
    """Draw the number of samples of each label bin from a file of `groupdir data describe --out`.

    The figure is a PNG file of the same name in the same folder.

    Raises:
        DataError: If the file cannot be read or has another content.
    """
    path = Path(path)
    try:
        counts = pd.read_csv(path).astype(dict.fromkeys(("low", "high", "train"), float))
        counts["shot"]
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: not a file of `groupdir data describe --out`: {error}") from error
    figure = Figure(figsize=(6.0, 3.0), dpi=160, layout="constrained")
    axes = figure.add_subplot()
    for shot, color in zip(SHOTS, COLORS, strict=False):
        rows = counts[counts["shot"] == shot]
        legend = f"{shot}: {len(rows)} labels, {rows['train'].sum():.0f} samples"
        axes.bar(rows["low"], rows["train"], rows["high"] - rows["low"], align="edge", color=color, label=legend)
    axes.set(xlabel="label", ylabel="training samples")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.01)
    axes.legend(frameon=False, fontsize=8)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    return write_whole(path.with_suffix(".png"), drawn.getvalue())
