"""Intervals of means over the blocks of a benchmark, or over seeds."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import stats

CONFIDENCE = 0.95
"""Confidence of these intervals."""

Array = npt.NDArray[np.float64]


def half_width(values: Array) -> Array:
    """Return half the width of the 95 % interval of a mean over B blocks: t s / sqrt(B), with B - 1 degrees of freedom.

    Args:
        values: `(B, ...)`, with the blocks first.

    Returns:
        `(...)`, NaN with one block.

    Source: Student 1908.

    >>> round(float(half_width(np.array([1.0, 2.0, 3.0]))), 3)
    2.484
    """
    count = len(values)
    if count < 2:
        return np.full(values.shape[1:], math.nan)
    critical = float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1))
    return np.asarray(critical * values.std(axis=0, ddof=1) / math.sqrt(count))
