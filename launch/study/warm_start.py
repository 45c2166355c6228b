"""Warm start: results of an earlier study that a new study can use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groupdir.config.domains import Choice, Domain, IntRange, Uniform
from groupdir.config.space import StudyConfig
from groupdir.study.read import read_study
from groupdir.study.state import TrialState


@dataclass(frozen=True)
class Earlier:
    """Results of an earlier study.

    Attributes:
        trials: `source`, `params` and `values` of each trial.
        text: Summary for people of the trials that are used and the parameters that are ignored.
    """

    trials: list[dict[str, Any]]
    text: str


def known(folder: str | Path, config: StudyConfig) -> Earlier:
    """Return the finished trials of an earlier study, restricted to the parameters that both studies have.

    A parameter value outside the range of the new study is ignored, and so is a trial without a finite value of every
    objective. The metrics are those of the selected epoch of each trial.

    Args:
        folder: Folder of the earlier study.
        config: Configuration of the new study.

    Raises:
        DataError: If the folder is not a study.
    """
    state = read_study(folder).state
    parameters = config.space.parameters
    taken: list[dict[str, Any]] = []
    ignored: set[str] = set()
    for trial in state.of("search"):
        values = {name: trial.value(name) for name in {*config.search.objectives, *config.search.constraints}}
        if trial.status != "finished" or not all(math.isfinite(values[name]) for name in config.search.objectives):
            continue
        params = {name: value for name, value in trial.params.items() if fits(parameters.get(name), value)}
        ignored |= set(trial.params) - set(params)
        if params:
            finite = {name: value for name, value in values.items() if math.isfinite(value)}
            taken.append({"source": str(folder), "params": params, "values": finite})
    return Earlier(taken, _text(folder, taken, parameters, ignored, state.of("search")))


def fits(domain: Domain | None, value: Any) -> bool:
    """Return whether a value is in a domain. Without a domain it is not.

    >>> fits(Choice((5, 10)), 10), fits(Choice((5, 10)), 20), fits(IntRange(2, 10, 2), 3), fits(None, 10)
    (True, False, False, False)
    """
    if domain is None:
        return False
    if isinstance(domain, Choice):
        return any(value == item and type(value) is type(item) for item in domain.values)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    if not domain.low <= value <= domain.ends[1]:
        return False
    if isinstance(domain, IntRange):
        return bool((value - domain.low) % domain.step == 0)  # Optuna raises for a value off the grid
    step = domain.step if isinstance(domain, Uniform) else None
    return step is None or abs((value - domain.low) / step - round((value - domain.low) / step)) < 1e-8


def _text(
    folder: str | Path,
    taken: list[dict[str, Any]],
    parameters: Mapping[str, Domain],
    ignored: set[str],
    trials: list[TrialState],
) -> str:
    used = [name for name in parameters if any(name in trial["params"] for trial in taken)]
    text = f"warm start from {folder}: {len(taken)} of {len(trials)} trials, parameters: {', '.join(used) or 'none'}"
    return text + (f"; ignored (not in this space or out of range): {', '.join(sorted(ignored))}" if ignored else "")
