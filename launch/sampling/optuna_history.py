"""Trials so far in Optuna's form, with comparable values and the state of each trial."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.trial import FrozenTrial, TrialState, create_trial

from groupdir.config.domains import Domain
from groupdir.config.parameters import Space
from groupdir.config.search import SearchConfig, bound
from groupdir.study import state
from launch.sampling.domains import distribution, encode
from launch.sampling.history import END, measured


def optuna_trials(
    space: Space,
    search: SearchConfig,
    trials: Sequence[state.TrialState],
    rungs: Sequence[int] = (),
    warm: Sequence[Mapping[str, Any]] = (),
) -> list[FrozenTrial] | None:
    """Return the trials so far as Optuna trials, or None while no fidelity has enough values.

    All values belong to one fidelity: the end, or else the highest rung that enough trials reached. Enough is one more
    than the number of parameters. The states are:

    - COMPLETE: the trial reached the fidelity. Its values are those at the fidelity, even if the trial failed later.
    - PRUNED: the trial was stopped below the fidelity. Optuna ranks it below all complete trials.
    - RUNNING: the trial may still reach the fidelity.
    - FAIL: the trial failed below the fidelity, or finished without a finite value of each objective there.

    Source: Falkner et al. 2018, "BOHB", section 3.2: the model of the largest budget with enough observations.

    Differences from the source: trials that were stopped below the fidelity are kept as bad ones.

    Args:
        space: The search space.
        search: Objectives and constraints.
        trials: All search trials so far, by number.
        rungs: Epochs of the rungs, in ascending order.
        warm: Finished trials of earlier studies. They are used if the fidelity is the end.

    Returns:
        One Optuna trial for each trial, the warm ones first.
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
    optuna_state = TrialState.COMPLETE
    if row is None:
        stopped = trial.status == "stopped" or trial.stop_decided
        failed = trial.status == "failed" or trial.complete
        optuna_state = TrialState.FAIL if failed else TrialState.PRUNED if stopped else TrialState.RUNNING
    frozen = create_trial(
        state=optuna_state,
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
    """Store the constraints of a trial. A constraint on a missing metric counts as violated."""
    for name, text in search.constraints.items():
        sign, limit = bound(text)
        value = float(values.get(name, math.nan))
        frozen.set_constraint(name, sign * (value - limit) if math.isfinite(value) else 1.0)
