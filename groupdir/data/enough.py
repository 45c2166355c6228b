"""Rule that says when a data set has too few rows to train on, to choose by, or to measure on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from groupdir.metrics import SHOTS, ShotSplit, parse_metric

if TYPE_CHECKING:  # the rule itself loads no torch
    from groupdir.data.base import SplitName

FEWEST_ROWS = 10
"""Number of rows of a split below which a person is warned."""

FEWEST_MEASURED = 20
"""Number of validation samples of a metric below which its value is mostly chance."""

_FEWEST_CHOSEN_BY = 2
"""Number of validation samples of a metric below which a search is refused: with one sample, chance decides."""


@dataclass(frozen=True)
class TooFew:
    """Finding that a data set has too few rows for something.

    Attributes:
        address: Dotted address in the YAML, such as "search.objectives.val_mae_few"; "data" for the data set.
        text: What is wrong, the value found, and what to do.
        fatal: Whether a search must not start.
    """

    address: str
    text: str
    fatal: bool = False


def too_few(labels: Mapping[SplitName, np.ndarray], shots: ShotSplit, metrics: Mapping[str, str]) -> Iterator[TooFew]:
    """Yield the splits and metrics for which a data set has too few rows.

    Args:
        labels: Labels (N,) of each split that is known.
        shots: Shot of each label bin.
        metrics: Metrics of a search by their addresses in the YAML; empty for a single trial.
    """
    for split, y in labels.items():
        if len(y) < FEWEST_ROWS:
            todo = "add rows; if groupdir splits the rows, a larger data.bin_width gives val and test more"
            yield TooFew("data", f"split {split} has {_rows(len(y))}, fewer than {FEWEST_ROWS}: {todo}")
    codes = shots.of(labels["val"])
    warned: set[str] = set()
    for address, name in metrics.items():
        _, metric, shot, _ = parse_metric(name)
        of_shot = shot in SHOTS
        count = int((codes == SHOTS.index(str(shot))).sum()) if of_shot else len(codes)
        label, of_label = (f"a {shot}-shot label", f" with a {shot}-shot label") if of_shot else ("a label", "")
        more = "add such rows, change data.bin_width, data.many or data.few" if of_shot else "add rows"
        fewest = max(metric.samples, _FEWEST_CHOSEN_BY)
        if count < fewest:
            text = f"no validation sample has {label}"
            if count:
                text = f"{metric.title} needs {fewest} validation samples with {label}, got {count}"
            yield TooFew(address, f"cannot be measured: {text}: {more}, or remove the metric", True)
        elif count < FEWEST_MEASURED and name not in warned:
            warned.add(name)
            few = f"{_rows(count)} of split val{of_label}, fewer than {FEWEST_MEASURED}"
            yield TooFew(
                address, f"is measured on {few}, so its best value is mostly chance: {more}, or remove the metric"
            )


def _rows(count: int) -> str:
    return f"{count} row{'s' * (count != 1)}"
