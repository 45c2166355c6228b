"""Estimates of a study's configurations with their uncertainty, from the tables that a search has written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from analysis.load import StudyResults
from groupdir.config.trial import configuration_digest
from groupdir.errors import DataError
from groupdir.files.study_files import TRIALS
from groupdir.metrics import find_metric
from groupdir.rules import metric_of_shot
from groupdir.shots import ALL_AND_SHOTS
from groupdir.values.trainings import Training, configurations
from groupdir.values.values import Values


def recorded_metrics(study: StudyResults) -> list[str]:
    """Return the validation metrics that the study has recorded."""
    parsed = {name: find_metric(name) for name in study.trials.columns}
    return [name for name, parts in parsed.items() if parts is not None and parts.split == "val"]


def metric_of(study: StudyResults, shot: str) -> str:
    """Return the validation metric that stands for a shot; see `groupdir.rules.metric_of_shot`."""
    return metric_of_shot(shot, list(study.objectives), recorded_metrics(study))


def shot_metrics_of(study: StudyResults) -> list[str]:
    """Return the recorded metrics of all samples and of each shot, without duplicates."""
    return [name for name in dict.fromkeys(metric_of(study, shot) for shot in ALL_AND_SHOTS) if name in study.trials]


def shown_metrics(study: StudyResults) -> list[str]:
    """Return the metrics that describe a configuration: the objectives, then the metrics of the shots."""
    return list(dict.fromkeys([*study.objectives, *shot_metrics_of(study)]))


def estimates_of(study: StudyResults, *, include_stopped: bool = False) -> Values:
    """Return the values of all configurations that finished a training. They are computed once for each study.

    All trainings of a configuration count: its trials of the search, its confirmations and its unchanged ablations.

    Args:
        study: Results of the study.
        include_stopped: True to include trials that the scheduler stopped, at their selected epoch.

    Raises:
        DataError: If the configuration of a trial is missing.
    """
    if include_stopped not in study.estimates:
        statuses = ("finished", "stopped") if include_stopped else ("finished",)
        rows = study.trials[study.trials["status"].isin(statuses) & (study.trials["epochs"] > 0)]
        metrics = recorded_metrics(study)
        trainings = [_training(study, row, metrics) for row in rows.to_dict("records")]
        parameters, objectives = study.config.space.parameters, tuple(study.objectives)
        study.estimates[include_stopped] = Values(parameters, configurations(trainings), objectives)
    return study.estimates[include_stopped]


def _training(study: StudyResults, row: dict[Any, Any], metrics: Sequence[str]) -> Training:
    trial = int(row["trial"])
    return Training(
        trial,
        _configuration(study, trial),
        int(row["seed"]),
        row["role"] == "search",
        study.suggested[trial],
        {name: float(row[name]) for name in metrics},
    )


def _configuration(study: StudyResults, trial: int) -> str:
    if trial not in study.configs:
        raise DataError(f"{study.folder / TRIALS}: the footer has no configuration of trial {trial}")
    return configuration_digest(study.configs[trial])


def failed_confirmations(study: StudyResults) -> dict[int, tuple[int, int]]:
    """Return trial -> numbers of failed and of ended confirmations, for configurations with a failed one.

    All trials of the search with such a configuration are keys.
    """
    ended = study.trials[study.trials["status"].isin(["finished", "failed"])]
    total: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for row in ended[ended["role"] == "confirmation"].to_dict("records"):
        name = _configuration(study, int(row["trial"]))
        total[name] += 1
        failed[name] += row["status"] == "failed"
    if not failed.total():
        return {}
    names = {int(trial): _configuration(study, int(trial)) for trial in study.searched["trial"]}
    return {trial: (failed[name], total[name]) for trial, name in names.items() if failed[name]}


def failures_text(failed: int, total: int) -> str:
    """Return the failed confirmations of a configuration in words.

    >>> failures_text(1, 3), failures_text(1, 1)
    ('1 of 3 further trainings failed', 'its only further training failed')
    """
    return "its only further training failed" if total == 1 else f"{failed} of {total} further trainings failed"
