"""When a search has had enough: epochs, or a front that does not move any more."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import moocore
import numpy as np

from groupdir.config.search import SearchConfig
from groupdir.study.state import StudyState
from launch.pareto import Costs, as_costs


def budget_spent(search: SearchConfig, epochs: int) -> str:
    """Why no further epoch may begin after so many, or an empty text."""
    if search.max_epochs is not None and epochs >= search.max_epochs:
        return f"the budget of {search.max_epochs} epochs is spent"
    return ""


def enough(search: SearchConfig, state: StudyState) -> str:
    """Why no further trial should begin, or an empty text."""
    return budget_spent(search, state.epochs) or converged(search, state)


def converged(search: SearchConfig, state: StudyState) -> str:
    """Whether the last finished trials have moved the front no more, in words; else an empty text.

    One that breaks a constraint moves nothing. Before any keeps to all of them, no search has converged.
    """
    rule = search.convergence
    if rule is None:
        return ""
    done = [trial for trial in state.of("search") if trial.complete]
    if len(done) <= rule.trials:
        return ""
    done.sort(key=lambda trial: int(trial.rows[-1]["seq"]))
    vectors = [
        [trial.value(name) if search.keeps(trial.value) else math.nan for name in search.objectives] for trial in done
    ]
    if not np.isfinite(vectors).all(axis=1).any():
        return ""
    gain = relative_gain(vectors, search.objectives, rule.trials)
    if gain > rule.tolerance:
        return ""
    return f"the last {rule.trials} finished trials added {gain:.2%} to the hypervolume, not above {rule.tolerance:.2%}"


def relative_gain(vectors: Sequence[Sequence[float]], objectives: Mapping[str, str], last: int) -> float:
    """Share of the hypervolume that the last vectors added.

    The reference is the worst value of each objective so far, a tenth of the range further out, so that the ends of the
    front count.
    """
    costs = as_costs(vectors, list(objectives.values()))
    finite = np.asarray(np.isfinite(costs).all(axis=1))
    if not finite.any():
        return 0.0
    known: Costs = costs[finite]
    low, high = known.min(axis=0), known.max(axis=0)
    reference = high + 0.1 * np.where(high > low, high - low, 1.0)
    now = moocore.hypervolume(known, ref=reference)
    first = costs[:-last][finite[:-last]]
    before = moocore.hypervolume(first, ref=reference) if len(first) else 0.0
    return float((now - before) / now)
