"""Front of a study: the configurations that no other one beats in every objective, by their estimates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.constraints import keep_constraints
from analysis.estimates import estimates_of, shown_metrics
from analysis.load import StudyResults, short_text
from analysis.pareto import pareto_front
from groupdir.command_line.next_command import next_command
from groupdir.errors import DataError
from groupdir.files.study_files import HIGH, LOW, MEAN, ON_FRONT, TRAININGS
from groupdir.metrics import sign
from groupdir.values.choice import front_chances
from groupdir.values.values import MOST, Value
from groupdir.values.words import chance_text, trainings_text, value_text


def find_front(study: StudyResults, *, include_stopped: bool = False) -> pd.DataFrame:
    """Return one row for each configuration on the Pareto front, sorted by the estimate of the first objective.

    A configuration is on the front if no other one is at least as good by the estimates of all objectives and better
    by one. Configurations whose estimates violate one of the study's constraints are skipped. The row is that of the
    first trial of the configuration, with the columns of `estimated_rows`.

    Args:
        study: Results of the study.
        include_stopped: True to include trials that the scheduler stopped, at their selected epoch. False for trials
            that trained to their last epoch only.

    Raises:
        DataError: If no trial can be on the front. The message counts the trials, or names the constraints that no
            trial satisfies.
    """
    values = estimates_of(study, include_stopped=include_stopped)
    candidates = keep_constraints(study, values)
    finite = np.all([np.isfinite(values.of(metric).mean[candidates]) for metric in study.objectives], axis=0)
    measured = candidates[finite]
    points = [sign(metric) * values.of(metric).mean[measured] for metric in values.telling(list(study.objectives))]
    front = measured[pareto_front(np.stack(points, axis=-1))]
    if not len(front):
        reason = "has a value for every objective" if len(candidates) else f"is {allowed_text(include_stopped)}"
        raise DataError(_no_front(study, reason, include_stopped))
    first = values.of(next(iter(study.objectives)))
    order = np.argsort(first.costs[front], kind="stable")
    return estimated_rows(study, include_stopped=include_stopped).iloc[front[order]]


def _no_front(study: StudyResults, reason: str, include_stopped: bool) -> str:
    """Return the message about a study without a front: its counts, what to do, and the failures.

    Args:
        study: Results of the study.
        reason: What no trial is or has.
        include_stopped: Whether stopped trials were included.
    """
    counts = study.counts()
    remedies = []
    if len(study.searched) < study.config.search.trials or counts.keys() & {"running", "paused"}:
        remedies.append(f"continue with `{next_command('resume', study.folder)}`")
    if "stopped" in counts and not include_stopped:
        remedies.append("use --include-stopped")
    numbers = ", ".join(f"{number} {status}" for status, number in counts.items()) or "none"
    text = f"{study.folder}: no trial {reason} (trials: {numbers}), so there is no front"
    return "\n".join([f"{text}: {' or '.join(remedies)}" if remedies else text, *study.failures()])


def allowed_text(include_stopped: bool) -> str:
    """Return the statuses of the trials that can be chosen, in words."""
    return "finished or stopped" if include_stopped else "finished"


def estimated_rows(study: StudyResults, *, include_stopped: bool = False) -> pd.DataFrame:
    """Return one row for each configuration with its estimates, in the order of the estimates.

    The row is that of the first trial of the configuration, so its metrics are the raw values that the search saw. It
    has further columns: `MEAN`, `LOW` and `HIGH` of each of `shown_metrics`, `TRAININGS`, and `ON_FRONT`, which is NaN
    for a configuration that violates a constraint, and where there are too few trainings to say. `LOW` and `HIGH` are
    NaN for a configuration that is not compared, see `Values.contenders`. The table is made once for each study.

    Args:
        study: Results of the study.
        include_stopped: True to include trials that the scheduler stopped, at their selected epoch.
    """
    if include_stopped not in study.tables:
        values = estimates_of(study, include_stopped=include_stopped)
        chances = np.full(len(values.configurations), np.nan)
        every = np.arange(len(values.configurations))
        shown = every if len(every) <= MOST else values.contenders(values.kept(study.config.search.keeps))
        if all(values.of(metric).posterior is not None for metric in study.objectives):
            candidates = values.kept(study.config.search.keeps)
            chances[candidates] = front_chances(values, list(study.objectives), candidates)
        rows = study.trials.set_index("trial", drop=False).loc[values.trials]
        extra: dict[str, object] = {
            TRAININGS: [len(each.trainings) for each in values.configurations],
            ON_FRONT: chances,
        }
        for metric in shown_metrics(study):
            low, high = np.full((2, len(every)), np.nan)
            low[shown], high[shown] = values.of(metric).interval_of(shown)
            extra |= {MEAN + metric: values.of(metric).mean, LOW + metric: low, HIGH + metric: high}
        study.tables[include_stopped] = pd.concat([rows, pd.DataFrame(extra, index=rows.index)], axis=1)
    return study.tables[include_stopped]


def value_of(row: pd.Series | Mapping[Any, Any], metric: str) -> Value:
    """Return the value of a metric from a row of `estimated_rows`. Its raw value is that of the row's trial."""
    return Value(row[MEAN + metric], row[LOW + metric], row[HIGH + metric], row[metric], int(row[TRAININGS]))


def front_table(study: StudyResults, front: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return the header and rows of the front as texts.

    The columns are the trial, its number of seeds, the estimate of each objective, the probability of being on the
    front, and the parameters. Only these have the short names of `StudyResults.param_names`.
    """
    rows = [
        [
            str(row["trial"]),
            trainings_text(int(row[TRAININGS])).split()[0],
            *(value_text(value_of(row, metric)) for metric in study.objectives),
            chance_text(row[ON_FRONT]) if np.isfinite(row[ON_FRONT]) else "-",
            *_param_texts(study, int(row["trial"])),
        ]
        for _, row in front.iterrows()
    ]
    return ["trial", "seeds", *study.objectives, "on front", *study.param_names], rows


def _param_texts(study: StudyResults, trial: int) -> list[str]:
    params = study.params[trial]
    return [short_text(params[name]) if name in params else "-" for name in study.param_names]
