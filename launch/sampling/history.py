"""Comparable values of the trials so far: values at one fidelity."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from groupdir.config.search import SearchConfig
from groupdir.metrics import sign
from groupdir.objectives import telling
from groupdir.study.state import TrialState

END = math.inf
"""Fidelity of finished trials."""


def measured(trial: TrialState, fidelity: float, search: SearchConfig) -> Mapping[str, Any] | None:
    """Return a trial's row at a fidelity.

    The result is None if the trial did not reach the fidelity or an objective is not finite.
    """
    row = (trial.selected if trial.complete else None) if fidelity == END else trial.at_fidelity(int(fidelity))
    if row is None or not all(math.isfinite(row.get(name, math.nan)) for name in search.objectives):
        return None
    return row


def telling_objectives(search: SearchConfig, rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the objectives that a sampler models: all but constants and copies of another objective.

    Such an objective would change the suggestions, although it says nothing about the trials: a volume has one more
    dimension, and a model draws further random numbers.

    Args:
        search: Options of the search.
        rows: Values of the trials that the sampler compares, by metric.
    """
    names = list(search.objectives)
    costs = [[sign(name) * float(row[name]) for name in names] for row in rows]
    return [names[column] for column in telling(np.reshape(costs, (-1, len(names))))]
