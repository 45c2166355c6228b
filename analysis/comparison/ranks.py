"""Average ranks of configurations over data sets, with Friedman's test and Nemenyi's critical difference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import friedmanchisquare, rankdata, studentized_range

from groupdir.bootstrap.verdict import ALPHA

MOST_METHODS = 10
"""Largest number of configurations that a critical-difference diagram is drawn for."""


@dataclass(frozen=True)
class AverageRanks:
    """Average ranks over data sets.

    Attributes:
        labels: Configurations, best rank first.
        ranks: Average rank of each, from 1 for the best.
        data_sets: Number of data sets.
        critical: Critical difference: average ranks that are closer cannot be told apart at the 5 % level.
        p: p-value of Friedman's test that all configurations are equal; NaN for two configurations.
        alike: Largest groups of configurations, as ranges of `labels`, that cannot be told apart.
    """

    labels: tuple[str, ...]
    ranks: tuple[float, ...]
    data_sets: int
    critical: float
    p: float
    alike: tuple[tuple[str, ...], ...]


def critical_difference(methods: int, data_sets: int) -> float:
    """Return Nemenyi's critical difference of average ranks at the 5 % level.

    Source: Demsar 2006, "Statistical comparisons of classifiers over multiple data sets", section 3.2.2.

    >>> round(critical_difference(4, 14), 2), round(critical_difference(30, 10), 1)
    (1.25, 14.8)
    """
    quantile = float(studentized_range.ppf(1 - ALPHA, methods, math.inf)) / math.sqrt(2)
    return quantile * math.sqrt(methods * (methods + 1) / (6 * data_sets))


def average_ranks(labels: Sequence[str], costs: npt.ArrayLike) -> AverageRanks:
    """Return the average ranks of configurations by their costs `(data sets, configurations)`; ties share a rank."""
    values = np.asarray(costs, dtype=np.float64)
    count, methods = values.shape
    means = rankdata(values, axis=1).mean(axis=0)
    order = np.argsort(means, kind="stable")
    names, ranks = [labels[index] for index in order], [float(means[index]) for index in order]
    critical = critical_difference(methods, count)
    constant = bool((values == values[:, :1]).all())
    p = float(friedmanchisquare(*values.T).pvalue) if methods > 2 and not constant else 1.0 if constant else math.nan
    return AverageRanks(tuple(names), tuple(ranks), count, critical, p, tuple(_alike(names, ranks, critical)))


def _alike(names: Sequence[str], ranks: Sequence[float], critical: float) -> list[tuple[str, ...]]:
    """Return the longest runs of at least two neighbours whose ranks differ by at most the critical difference."""
    runs: list[tuple[int, int]] = []
    for first, rank in enumerate(ranks):
        last = max(index for index, other in enumerate(ranks) if other - rank <= critical)
        if last > first and (not runs or last > runs[-1][1]):
            runs.append((first, last))
    return [tuple(names[first : last + 1]) for first, last in runs]
