"""Constraints of a study, `search.constraints`: bounds on the metrics of its configurations."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.load import StudyResults
from groupdir.config.search import bound
from groupdir.errors import DataError


def keep_constraints(study: StudyResults, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that satisfy all constraints of the search. A missing metric counts as a violation.

    Raises:
        DataError: If there are rows but none satisfies all constraints. The message names the nearest values.
    """
    constraints = study.study.get("search", {}).get("constraints") or {}
    kept = np.ones(len(rows), dtype=bool)
    broken: list[str] = []
    for metric, text in constraints.items():
        sign, limit = bound(text)
        costs = _costs(rows, metric, sign)
        kept &= costs <= sign * limit
        finite = costs[np.isfinite(costs)]
        nearest = f"the nearest trial has {sign * finite.min():.4g}" if len(finite) else "no trial has this metric"
        broken.append(f"{metric} {text} ({nearest})")
    if len(rows) and not kept.any():
        raise DataError(
            f"{study.folder}: none of {len(rows)} trials satisfies the study's constraints: {', '.join(broken)}; "
            f"search longer, or start a new study with looser search.constraints and this study in search.warm_start"
        )
    return rows[kept]


def _costs(rows: pd.DataFrame, metric: str, sign: float) -> npt.NDArray[np.float64]:
    values = rows[metric].to_numpy(dtype=np.float64) if metric in rows else np.full(len(rows), np.nan)
    return sign * values
