"""Bounds that a study's configurations must keep to: `search.constraints`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.load import StudyResults
from groupdir.config.search import bound
from groupdir.errors import DataError


def keep_constraints(study: StudyResults, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that keep to all constraints of the search; a metric that was not measured keeps to none.

    Raises:
        DataError: There are rows, but none of them does; the text says what came nearest.
    """
    constraints = study.study.get("search", {}).get("constraints") or {}
    kept = np.ones(len(rows), dtype=bool)
    broken: list[str] = []
    for metric, text in constraints.items():
        sign, limit = bound(text)
        costs = _costs(rows, metric, sign)
        kept &= costs <= sign * limit
        finite = costs[np.isfinite(costs)]
        nearest = f"the nearest has {sign * finite.min():.4g}" if len(finite) else "nobody has measured it"
        broken.append(f"{metric} {text} ({nearest})")
    if len(rows) and not kept.any():
        raise DataError(
            f"{study.folder}: a configuration must keep to the study's constraints, but of {len(rows)} trials none "
            f"does: {', '.join(broken)}; search longer, or loosen search.constraints in a new study that "
            f"takes this one as search.warm_start"
        )
    return rows[kept]


def _costs(rows: pd.DataFrame, metric: str, sign: float) -> npt.NDArray[np.float64]:
    values = rows[metric].to_numpy(dtype=np.float64) if metric in rows else np.full(len(rows), np.nan)
    return sign * values
