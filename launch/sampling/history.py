"""Values of the trials so far that are comparable, because they are of one fidelity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from groupdir.config.search import SearchConfig
from groupdir.study.state import TrialState

END = math.inf
"""The fidelity of trials that have finished."""


def measured(trial: TrialState, fidelity: float, search: SearchConfig) -> Mapping[str, Any] | None:
    """A trial's row at a fidelity, or None where it did not come to it or an objective is no finite number."""
    row = (trial.selected if trial.complete else None) if fidelity == END else trial.at_fidelity(int(fidelity))
    if row is None or not all(math.isfinite(row.get(name, math.nan)) for name in search.objectives):
        return None
    return row
