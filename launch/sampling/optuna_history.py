"""What Optuna is told of the trials so far: values that are comparable, each trial with its true state."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState, create_trial

from groupdir.config.domains import Domain
from groupdir.config.search import SearchConfig, bound
from groupdir.config.space import Space
from groupdir.study import state
from launch.sampling.domains import distribution, encode
from launch.sampling.history import END, measured


def told(
    space: Space,
    search: SearchConfig,
    trials: Sequence[state.TrialState],
    rungs: Sequence[int] = (),
    warm: Sequence[Mapping[str, Any]] = (),
) -> list[FrozenTrial] | None:
    """The history as Optuna may know it.

    All values are of one fidelity: the highest rung that enough trials have come to (one more than there are
    parameters), at that rung's epoch, or the end. A trial that came there is COMPLETE with its values there, whatever
    became of it since; one that was stopped before is PRUNED, which Optuna counts as worse than all that are complete;
    one that may still come there is RUNNING; a failed one is FAIL.

    Source: Falkner et al. 2018, "BOHB", section 3.2: the model of the largest budget with enough observations.

    Differences from the source: trials that were stopped below the fidelity are kept, as bad ones.

    Args:
        space: What is open.
        search: Objectives and constraints.
        trials: All search trials so far, by number.
        rungs: The rungs, upwards.
        warm: Trials of earlier studies, which have finished: they are told at the end's fidelity alone.

    Returns:
        One trial for each, the warm ones first; None where no fidelity has enough observations yet.
    """
    enough = len(space.parameters) + 1
    for fidelity in (END, *sorted(rungs, reverse=True)):
        rows = [measured(trial, fidelity, search) for trial in trials]
        earlier = warm if fidelity == END else ()
        if sum(row is not None for row in rows) + len(earlier) >= enough:
            parameters = space.parameters
            known = [_warm(parameters, search, item) for item in earlier]
            return known + [_frozen(parameters, search, trial, row) for trial, row in zip(trials, rows, strict=True)]
    return None


def _frozen(
    parameters: Mapping[str, Domain], search: SearchConfig, trial: state.TrialState, row: Mapping[str, Any] | None
) -> FrozenTrial:
    found = TrialState.COMPLETE
    if row is None:
        lost = trial.status == "stopped" or trial.told_to_stop
        failed = trial.status == "failed" or trial.complete
        found = TrialState.FAIL if failed else TrialState.PRUNED if lost else TrialState.RUNNING
    frozen = create_trial(
        state=found,
        values=[row[name] for name in search.objectives] if row is not None else None,
        params={name: encode(parameters[name], value) for name, value in trial.params.items()},
        distributions={name: distribution(parameters[name]) for name in trial.params},
        system_attrs=dict(trial.notes),
    )
    if row is not None:
        _constrain(frozen, search, row)
    return frozen


def _warm(parameters: Mapping[str, Domain], search: SearchConfig, item: Mapping[str, Any]) -> FrozenTrial:
    frozen = create_trial(
        values=[item["values"][name] for name in search.objectives],
        params={name: encode(parameters[name], value) for name, value in item["params"].items()},
        distributions={name: distribution(parameters[name]) for name in item["params"]},
    )
    _constrain(frozen, search, item["values"])
    return frozen


def _constrain(frozen: FrozenTrial, search: SearchConfig, values: Mapping[str, Any]) -> None:
    """A constraint that cannot be measured does not hold."""
    for name, text in search.constraints.items():
        sign, limit = bound(text)
        value = float(values.get(name, math.nan))
        frozen.set_constraint(name, sign * (value - limit) if math.isfinite(value) else 1.0)
