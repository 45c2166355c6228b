"""Tests and effect sizes over replications: Wilcoxon's signed ranks, Holm's correction, paired effect sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata, wilcoxon

FEWEST_REPLICATIONS = 6
"""Smallest number of replications with which Wilcoxon's two-sided p-value can be below .05: 2 / 2**6 is .031."""


@dataclass(frozen=True)
class SignedRanks:
    """Paired comparison over replications.

    Attributes:
        n: Number of replications.
        p: Two-sided p-value of Wilcoxon's signed-rank test; NaN for fewer than two replications.
        effect: Mean difference in units of its standard deviation; NaN without a spread.
        rank_biserial: Share of the ranks with a positive difference minus that with a negative one, from -1 to 1; NaN
            if all differences are 0.
    """

    n: int
    p: float
    effect: float
    rank_biserial: float


def signed_ranks(differences: npt.ArrayLike) -> SignedRanks:
    """Return the test and the effect sizes of paired differences `(n,)`.

    Source: Wilcoxon 1945; Kerby 2014 for the rank-biserial correlation of matched pairs.

    >>> signed_ranks([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    SignedRanks(n=6, p=0.03125, effect=1.8708286933869707, rank_biserial=1.0)
    """
    values = np.asarray(differences, dtype=np.float64)
    changed = values[values != 0]
    if not np.isfinite(values).all() or len(values) < 2:
        return SignedRanks(len(values), math.nan, math.nan, math.nan)
    spread = float(values.std(ddof=1))
    effect = float(values.mean()) / spread if spread > 0 else math.nan
    if not len(changed):
        return SignedRanks(len(values), 1.0, effect, math.nan)
    ranks = rankdata(np.abs(changed))
    balance = float((np.sign(changed) * ranks).sum() / ranks.sum())
    return SignedRanks(len(values), float(wilcoxon(values).pvalue), effect, balance)


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
