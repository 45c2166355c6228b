"""Pairs of configurations, compared in one metric and shot."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from analysis.comparison.signed_ranks import SignedRanks
from groupdir.bootstrap.difference import Difference
from groupdir.bootstrap.verdict import ALPHA
from groupdir.metrics import METRICS

OVER_ALL = ""
"""Data set of the pairs that are compared over several data sets."""

Verdict = Literal["better", "worse", "not shown"]


@dataclass(frozen=True)
class Pair:
    """Comparison of two configurations in one metric and shot.

    Attributes:
        data: Name of the data set, or OVER_ALL for a comparison over all data sets.
        metric: Name of the metric.
        shot: "all" or a shot.
        first: Label of the first configuration.
        second: Label of the second configuration.
        values: The metric of both, averaged over seeds, or over data sets for OVER_ALL.
        difference: First minus second with its bootstrap interval; for OVER_ALL interval and p-value are NaN.
        p_holm: p-value of the bootstrap, corrected for the family.
        ranks: Wilcoxon's test and effect sizes over replications: seeds, or data sets for OVER_ALL.
        wilcoxon_holm: p-value of Wilcoxon's test, corrected for the family.
        family: Number of tests in the family: the pairs and shots of this data set and metric.
    """

    data: str
    metric: str
    shot: str
    first: str
    second: str
    values: tuple[float, float]
    difference: Difference
    ranks: SignedRanks
    p_holm: float = math.nan
    wilcoxon_holm: float = math.nan
    family: int = 0

    @property
    def verdict(self) -> Verdict:
        """Return "better" or "worse" if the difference of the first to the second is shown, else "not shown".

        The corrected p-value of the bootstrap decides; over several data sets, that of Wilcoxon's test.
        """
        p = self.wilcoxon_holm if self.data == OVER_ALL else self.p_holm
        if not p < ALPHA:
            return "not shown"
        return "better" if METRICS[self.metric].sign * self.difference.value < 0 else "worse"
