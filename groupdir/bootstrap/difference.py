"""Difference of a metric between two configurations, with its interval and p-value from bootstrap draws."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from groupdir.bootstrap.settings import CONFIDENCE, FEWEST


@dataclass(frozen=True)
class Difference:
    """Difference of a metric between two configurations.

    Attributes:
        value: Metric of the first configuration minus that of the second, each averaged over seeds.
        low: Lower end of the 95 % interval.
        high: Upper end of the 95 % interval.
        p: Two-sided p-value of no difference, in (0, 1].
    """

    value: float
    low: float
    high: float
    p: float


def difference_of_draws(value: float, draws: npt.NDArray[np.float64]) -> Difference:
    """Return a difference whose interval holds the middle 95 % of its bootstrap draws.

    Args:
        value: Observed difference.
        draws: Differences `(D,)` on the draws. Draws that are not finite are left out.

    Returns:
        The difference. Interval and p-value are NaN if less than half of the draws are finite.

    Source: Efron and Tibshirani 1993, chapters 13 and 16; the p-value counts the observed value as one more draw.

    >>> difference_of_draws(1.0, np.array([1.0, 1.0, 1.0]))
    Difference(value=1.0, low=1.0, high=1.0, p=0.5)
    """
    defined = draws[np.isfinite(draws)]
    if len(defined) < FEWEST * len(draws):
        return Difference(value, math.nan, math.nan, math.nan)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    rarer = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    return Difference(value, float(low), float(high), min(1.0, 2 * (rarer + 1) / (len(defined) + 1)))
