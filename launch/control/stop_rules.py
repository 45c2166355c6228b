"""Rules that end a search early: its epoch budget is spent, or its front has converged."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Literal

import moocore
import numpy as np

from groupdir.config.search import SearchConfig
from groupdir.objectives import telling
from groupdir.study.state import StudyState
from launch.pareto import Costs, as_costs

_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


def budget_spent(search: SearchConfig, epochs: int) -> str:
    """Return why a study may start no further epoch after `epochs` epochs, or an empty text if it may."""
    if search.max_epochs is not None and epochs >= search.max_epochs:
        return f"the budget of {search.max_epochs} epochs is spent"
    return ""


def enough(search: SearchConfig, state: StudyState) -> str:
    """Return why a study should start no further trial, or an empty text if it should."""
    return state.ended or budget_spent(search, state.epochs) or converged(search, state)


def equal_failures(search: SearchConfig, state: StudyState) -> tuple[int, str]:
    """Return the number of equal failures of the search's trials and their message; (0, "") if a trial has succeeded.

    Only trials that the present driver has trained count, so that a resume after the repair starts at 0. A trial has
    succeeded once it has finished, stopped or paused, or while it trains after its first epoch. Messages are equal if
    they differ in numbers only.

    Args:
        search: Options of the search.
        state: State of the study.
    """
    trials = [trial for trial in state.of("search") if trial.run == state.runs and (trial.rows or trial.message)]
    failed = [trial for trial in trials if trial.status == "failed"]
    equal = {_NUMBER.sub("#", trial.message) for trial in failed}
    return (len(failed), failed[0].message) if len(equal) == 1 and len(failed) == len(trials) else (0, "")


def hopeless(search: SearchConfig, state: StudyState) -> Literal["yes", "undecided", "no"]:
    """Return whether a search should end because its first trials all fail with the same error.

    The answer is undecided while other trials are before their first epoch. The search starts no further trial until
    then, because a trial that fails usually ends sooner than another one succeeds.
    """
    limit = search.max_equal_failures
    if limit is None or equal_failures(search, state)[0] < min(limit, search.trials):
        return "no"
    return "undecided" if any(trial.status == "running" for trial in state.of("search")) else "yes"


def search_over(search: SearchConfig, state: StudyState) -> bool:
    """Return whether all trials of a search have ended and it starts no further one."""
    trials = state.of("search")
    if any(trial.status in ("running", "paused") for trial in trials):
        return False
    return len(trials) >= search.trials or bool(enough(search, state))


def converged(search: SearchConfig, state: StudyState) -> str:
    """Return why the search has converged, or an empty text if it has not.

    A search has converged when its last finished trials hardly moved the front. A trial that violates a constraint
    does not move the front. A search has not converged before any trial satisfies all constraints.
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
    """Return the share of the hypervolume, from 0 to 1, that the last vectors added.

    The reference point is the worst value of each objective so far plus a tenth of its range, so that the ends of the
    front count. Constants and copies of another objective do not count, see `groupdir.objectives.telling`.
    """
    costs = as_costs(vectors, list(objectives.values()))
    finite = np.asarray(np.isfinite(costs).all(axis=1))
    if not finite.any():
        return 0.0
    kept = telling(costs)
    known: Costs = costs[finite][:, kept]
    low, high = known.min(axis=0), known.max(axis=0)
    reference = high + 0.1 * np.where(high > low, high - low, 1.0)
    volume = moocore.hypervolume(known, ref=reference)
    first = costs[:-last][finite[:-last]][:, kept]
    before = moocore.hypervolume(first, ref=reference) if len(first) else 0.0
    return float((volume - before) / volume)
