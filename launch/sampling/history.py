"""Comparable values of the trials so far: values at one fidelity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from groupdir.config.search import SearchConfig
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
