"""Constraints of a study, `search.constraints`: bounds on the metrics of its configurations."""

from __future__ import annotations

import numpy as np

from analysis.load import StudyResults
from groupdir.config.search import bound
from groupdir.errors import DataError
from groupdir.values.kernels import Indices
from groupdir.values.values import Values


def keep_constraints(study: StudyResults, values: Values) -> Indices:
    """Return the indices of the configurations whose estimates satisfy all constraints of the search.

    A missing metric counts as a violation.

    Raises:
        DataError: If there are configurations but none satisfies all constraints. The message names the nearest
            estimates.
    """
    search = study.config.search
    kept = values.kept(search.keeps)
    if not len(values.configurations) or len(kept):
        return kept
    broken: list[str] = []
    for metric, text in search.constraints.items():
        sign, _ = bound(text)
        costs = sign * values.of(metric).mean
        finite = costs[np.isfinite(costs)]
        nearest = (
            f"the nearest estimate is {sign * finite.min():.4g}" if len(finite) else "no configuration has this metric"
        )
        broken.append(f"{metric} {text} ({nearest})")
    raise DataError(
        f"{study.folder}: none of {len(values.configurations)} configurations satisfies the study's constraints: "
        f"{', '.join(broken)}; search longer, or start a new study with looser search.constraints and this study in "
        "search.warm_start"
    )
