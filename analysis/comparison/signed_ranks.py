"""Tests and effect sizes over replications: Wilcoxon's signed ranks, and paired effect sizes."""

from __future__ import annotations

import math
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
