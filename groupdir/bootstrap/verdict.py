"""Verdicts about differences: which are shown after a correction for several tests, and how texts say so."""

from __future__ import annotations

import math
from collections.abc import Sequence

ALPHA = 0.05
"""Corrected p-value below which a difference is shown."""

ONE_SEED = (
    "one seed. The intervals hold for these trained models only; another seed may turn the order around. Train with "
    "--seeds 5 or more."
)
"""Limit of a comparison of configurations with one training each."""


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for a family of tests. NaN stays NaN and is no member of the family.

    Source: Holm 1979.

    >>> holm([0.25, 0.125, 0.5])
    [0.5, 0.375, 0.5]
    """
    corrected = [math.nan] * len(p_values)
    order = sorted((p, index) for index, p in enumerate(p_values) if not math.isnan(p))
    largest = 0.0
    for rank, (p, index) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p))
        corrected[index] = largest
    return corrected


def shown_text(shot: str, best: str, other: str, by: str) -> str:
    """Return that a difference is shown.

    >>> shown_text("few", "group_dir", "vanilla", "0.53")
    'shown, few: group_dir is better than vanilla by 0.53'
    """
    return f"shown, {shot}: {best} is better than {other} by {by}"


def alike_text(shots: Sequence[str], names: str) -> str:
    """Return that configurations cannot be told apart.

    >>> alike_text(["all", "few"], "group_dir and vanilla")
    'cannot be told apart, all, few: group_dir and vanilla'
    """
    return f"cannot be told apart, {', '.join(shots)}: {names}"
