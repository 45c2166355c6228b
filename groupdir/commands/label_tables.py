"""Tables of label counts for the terminal: a histogram by shot, the counts of each shot, the samples of each group."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from groupdir.bins import edge_text
from groupdir.command_line.console import say_on
from groupdir.commands.label_counts import LabelCounts
from groupdir.metrics import ALL, SHOTS

MARKS = (("█", "green"), ("▒", "yellow"), ("░", "red"), ("·", "magenta"), ("-", "cyan"))
"""Character and colour of the bars of each shot, in the order of the shots. The last pairs are spare."""

_MOST_ROWS = 32
_BAR = 36
_GAP = 2  # characters between two columns


def print_counts(counts: LabelCounts, console: Console) -> None:
    """Print all tables."""
    targets = counts.targets
    console.print(
        f"{counts.name}: labels in {targets.unit}, bins of {edge_text(targets.bin_width)}, "
        f"groups over {edge_text(targets.low)}..{edge_text(targets.high)}",
        highlight=False,
    )
    for table in (column_table(counts), histogram(counts, console.width), shot_table(counts), group_table(counts)):
        if table.row_count:
            console.print(table)
    if counts.missing:
        say_on(console, f"no test split: {counts.missing}")
    for warning in counts.warnings:
        say_on(console, f"warning: {warning}")


def column_table(counts: LabelCounts) -> Table:
    """Return a table of the columns of a user's table: kind, missing values, entries of the input, range or texts."""
    table = Table(title="columns", box=None, pad_edge=False)
    table.add_column("column", overflow="fold", max_width=24)
    table.add_column("kind", no_wrap=True)
    table.add_column("missing", justify="right", no_wrap=True)
    table.add_column("entries", justify="right", no_wrap=True)
    table.add_column("range or texts", overflow="fold")
    for column in counts.columns:
        numbers = (str(column.missing), str(column.entries or "-"))
        table.add_row(escape(column.name), column.kind, *numbers, escape(column.content))
    return table


def histogram(counts: LabelCounts, width: int) -> Table:
    """Return a histogram of the training samples over the labels, with the counts of every split.

    Neighbouring bins are merged until the histogram fits a screen. Bars are shortened, and no digit of a label is left
    out.

    Args:
        counts: Counts of the labels.
        width: Width of the terminal, in characters.
    """
    bins, samples = counts.bins()
    merged = bins // _merge(bins)
    shots = counts.shot_of(bins)
    rows, row = np.unique(merged, return_inverse=True)
    by_shot = np.stack(
        [np.bincount(row, samples["train"] * (shots == code), minlength=len(rows)) for code in range(len(SHOTS))],
        axis=1,
    ).astype(np.int64)
    most = int(by_shot.sum(axis=1).max())
    legend = ", ".join(f"{mark} {shot}" for (mark, _), shot in zip(MARKS, SHOTS, strict=False))
    starts, ends = counts.edges(rows * _merge(bins)), counts.edges((rows + 1) * _merge(bins))
    labels = [f"{edge_text(start)}..{edge_text(end)}" for start, end in zip(starts, ends, strict=True)]
    numbers = [[str(int(column[row == index].sum())) for column in samples.values()] for index in range(len(rows))]
    beside = sum(
        max(map(len, (split, *cells))) + _GAP for split, cells in zip(samples, zip(*numbers, strict=True), strict=True)
    )
    longest = min(_BAR, max(1, width - max(map(len, labels)) - beside - _GAP))
    table = Table(title=f"training samples: {legend}", box=None, pad_edge=False)
    table.add_column("label", justify="right", no_wrap=True, min_width=max(map(len, labels)))
    table.add_column("", no_wrap=True)
    for split in samples:
        table.add_column(split, justify="right", no_wrap=True)
    for label, of_shot, cells in zip(labels, by_shot, numbers, strict=True):
        table.add_row(label, bar(of_shot, most, longest), *cells)
    return table


def bar(samples: npt.NDArray[np.int64], most: int, longest: int = _BAR) -> Text:
    """Return a bar whose length is proportional to the number of samples, with a segment for each shot.

    A bar of any samples has at least one character.

    Args:
        samples: Number of samples (S,) of each shot.
        most: Number of samples of a bar of full length.
        longest: Length of such a bar, in characters.

    >>> bar(np.array([50, 25, 25]), 200).plain, bar(np.array([0, 0, 1]), 200).plain
    ('█████████▒▒▒▒▒░░░░', '░')
    """
    ends = np.rint(np.cumsum(samples) / most * longest).astype(np.int64)
    text = Text()
    for (mark, colour), length, count in zip(MARKS, np.diff(ends, prepend=0).tolist(), samples.tolist(), strict=False):
        text.append(mark * max(length, int(count > 0 and not text)), colour)
    return text


def _merge(bins: npt.NDArray[np.int64]) -> int:
    """Return the number of bins in a row of the histogram: 1, 2 or 5 times a power of ten."""
    factor = 1
    while bins[-1] // factor - bins[0] // factor + 1 > _MOST_ROWS:
        factor = factor * 5 // 2 if str(factor).startswith("2") else factor * 2
    return factor


def shot_table(counts: LabelCounts) -> Table:
    """Return a table of the numbers of labels (bins) and samples of each shot in each split."""
    bins, samples = counts.bins()
    shots = counts.shot_of(bins)
    table = Table(title="labels and samples of each shot", box=None, pad_edge=False)
    table.add_column("shot")
    for split in samples:
        table.add_column(f"{split} labels", justify="right")
        table.add_column("samples", justify="right")
    for name, members in [*((shot, shots == code) for code, shot in enumerate(SHOTS)), (ALL, shots >= 0)]:
        numbers = [(np.count_nonzero(column[members]), column[members].sum()) for column in samples.values()]
        table.add_row(name, *(str(int(number)) for pair in numbers for number in pair))
    return table


def group_table(counts: LabelCounts) -> Table:
    """Return a table of the training samples of each group, with one row for each grouping."""
    table = Table(title="training samples of each group", box=None, pad_edge=False)
    table.add_column("groups", justify="right")
    table.add_column("cut")
    table.add_column("empty", justify="right")
    table.add_column("samples, from the lowest group")
    for groups, rule in counts.groupings:
        try:
            samples = counts.of_group(groups, rule)
        except ValueError as error:
            table.add_row(str(groups), rule, "", f"not possible: {error}")
            continue
        table.add_row(str(groups), rule, str(int((samples == 0).sum())), " ".join(map(str, samples.tolist())))
    return table
