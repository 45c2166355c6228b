"""Limits of what the report draws of a large study."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

POINTS = 200
"""Most points that a plot draws of one kind, such as stopped trials. Of more, evenly spaced trials are drawn."""


def thinned(rows: pd.DataFrame) -> pd.DataFrame:
    """Return at most `POINTS` rows, evenly spaced in their order. Texts and estimates count all rows of the study."""
    return rows if len(rows) <= POINTS else rows.iloc[spaced(len(rows))]


def spaced(count: int) -> list[int]:
    """Return at most `POINTS` indices of `count` rows, evenly spaced.

    >>> len(spaced(5_000)), spaced(3)
    (200, [0, 1, 2])
    """
    return np.unique(np.linspace(0, count - 1, min(count, POINTS)).round().astype(np.int64)).tolist() if count else []


def thinning_note(counts: Sequence[int]) -> str:
    """Return the sentence about the limit for kinds of trials, or an empty text if no kind exceeds it.

    Args:
        counts: Number of trials of each kind.

    >>> thinning_note([200, 20]), thinning_note([3_749])
    ('', ' Of the trials off the front, at most 200 of each kind are drawn, evenly spaced.')
    """
    exceeds = any(count > POINTS for count in counts)
    return f" Of the trials off the front, at most {POINTS} of each kind are drawn, evenly spaced." if exceeds else ""
