"""Choice of one configuration by a named rule, from estimates on validation data alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.constraints import keep_constraints
from analysis.estimates import estimates_of, recorded_metrics, shown_metrics
from analysis.front import allowed_text, find_front
from analysis.load import StudyResults
from analysis.within import tolerances_text
from groupdir.config.yamlvalues import dump_yaml
from groupdir.errors import DataError
from groupdir.files.parquet import write_parquet
from groupdir.files.sealed import seal_text
from groupdir.files.study_files import FRONT, PARAM, best_file
from groupdir.files.write_whole import output_folder, write_whole
from groupdir.registry import did_you_mean
from groupdir.rules import RULES, metrics_of_rule
from groupdir.values import choice as engine
from groupdir.values.choice import Choice
from groupdir.values.kernels import Indices
from groupdir.values.trainings import Configuration
from groupdir.values.values import Values
from groupdir.values.words import choice_text, number_text, trainings_text, trials_text, value_text


@dataclass(frozen=True)
class Selection:
    """Choice of a configuration of a study.

    Attributes:
        choice: Choice of the rule.
        values: Estimates that the rule has read.
        candidates: Indices of the configurations that the rule chose from.
        front: Rows of the front, sorted by the estimate of the first objective; see `analysis.front.find_front`.
        file: YAML file of the chosen configuration.
        tolerances: Metric -> largest distance to the best estimate, as a share of it.
        include_stopped: True if trials that the scheduler stopped are included.
    """

    choice: Choice
    values: Values
    candidates: Indices
    front: pd.DataFrame
    file: Path
    tolerances: Mapping[str, float] = field(default_factory=dict)
    include_stopped: bool = False

    @property
    def rule(self) -> str:
        """Name of the rule."""
        return self.choice.rule

    @property
    def configuration(self) -> Configuration:
        """Chosen configuration."""
        return self.values.configurations[self.choice.index]

    @property
    def trial(self) -> int:
        """Number of the trial that stands for the chosen configuration."""
        return self.configuration.trial


def candidates_of(
    study: StudyResults, tolerances: Mapping[str, float] | None = None, *, include_stopped: bool = False
) -> Indices:
    """Return the indices of the configurations that a rule may choose.

    Args:
        study: Results of the study.
        tolerances: Metric -> largest distance to the best estimate, as a share of it.
        include_stopped: True to include trials that the scheduler stopped, at their selected epoch.

    Raises:
        DataError: If no configuration satisfies the constraints or the tolerances, or a metric of the tolerances is
            unknown.
    """
    values = estimates_of(study, include_stopped=include_stopped)
    kept = keep_constraints(study, values)
    for metric in tolerances or {}:
        if metric not in recorded_metrics(study):
            raise DataError(
                f"{study.folder}: --within: unknown metric '{metric}': {did_you_mean(metric, recorded_metrics(study))}"
            )
        if not np.isfinite(values.of(metric).mean[kept]).any():
            raise DataError(f"{study.folder}: --within {metric}: no {allowed_text(include_stopped)} trial has a value")
    near = engine.within(values, tolerances or {}, kept)
    if len(kept) and not len(near):
        raise DataError(
            f"{study.folder}: no configuration has {tolerances_text(tolerances or {})}: raise a share of --within"
        )
    return near


def choose(
    study: StudyResults,
    rule: str,
    tolerances: Mapping[str, float] | None = None,
    *,
    include_stopped: bool = False,
) -> Choice:
    """Return the choice of a rule among all configurations that satisfy the constraints and the tolerances.

    Raises:
        DataError: If no configuration has all metrics of the rule, or none satisfies the constraints or tolerances.
        ValueError: If the rule is unknown.
    """
    values = estimates_of(study, include_stopped=include_stopped)
    candidates = candidates_of(study, tolerances, include_stopped=include_stopped)
    objectives, recorded = list(study.objectives), recorded_metrics(study)
    choice = engine.choose(values, rule, objectives, recorded, candidates)
    if choice is None:
        metrics = ", ".join(metrics_of_rule(rule, objectives, recorded))
        raise DataError(
            f"{study.folder}: rule {rule} cannot choose: no {allowed_text(include_stopped)} trial has a finite "
            f"{metrics}; use another rule"
        )
    return choice


def choices(study: StudyResults) -> dict[str, Choice]:
    """Return the choice of each rule whose metrics have a value.

    For example, a validation set without few-shot labels has no choice of the rule `few`.
    """
    values, candidates = estimates_of(study), candidates_of(study)
    objectives, recorded = list(study.objectives), recorded_metrics(study)
    made = {rule: engine.choose(values, rule, objectives, recorded, candidates) for rule in RULES}
    return {rule: choice for rule, choice in made.items() if choice is not None}


def select_config(
    study: StudyResults,
    rule: str,
    tolerances: Mapping[str, float] | None = None,
    *,
    include_stopped: bool = False,
) -> Selection:
    """Choose a configuration and write front.parquet and best_<rule>.yaml into the study's folder.

    The YAML file holds the exact configuration of the trial. Comments in it name the study, the trial, the rule and
    the estimates.

    Args:
        study: Results of the study.
        rule: Name of the rule.
        tolerances: Metric -> largest distance to the best estimate, as a share of it.
        include_stopped: True to include trials that the scheduler stopped, at their selected epoch.

    Raises:
        DataError: If there is no front, or no configuration that the rule may choose.
    """
    tolerances = dict(tolerances or {})
    front = find_front(study, include_stopped=include_stopped)
    choice = choose(study, rule, tolerances, include_stopped=include_stopped)
    selection = Selection(
        choice,
        estimates_of(study, include_stopped=include_stopped),
        candidates_of(study, tolerances, include_stopped=include_stopped),
        front,
        output_folder(study.folder) / best_file(rule),
        tolerances,
        include_stopped,
    )
    header = "".join(f"# {' '.join(line.split())}\n" for line in _header(study, selection))  # one line each
    body = dump_yaml(dict(study.configs[selection.trial]))
    write_whole(selection.file, seal_text(header + body))
    configs = {str(trial): dict(study.configs[trial]) for trial in front["trial"].tolist()}
    write_parquet(selection.file.with_name(FRONT), _plain_rows(front), {**study.footer, "configs": configs})
    return selection


def _header(study: StudyResults, selection: Selection) -> list[str]:
    """Return the lines of the comment in a file of a chosen configuration."""
    values, choice = selection.values, selection.choice
    row = study.trials[study.trials["trial"] == selection.trial].iloc[0]
    trainings = [training.trial for training in selection.configuration.trainings]
    estimates = {metric: values.of(metric).value(choice.index) for metric in shown_metrics(study)}
    within = f", {tolerances_text(selection.tolerances)}" if selection.tolerances else ""
    return [
        f"study: {study.name}",
        *([study.unfinished] if study.left else []),
        f"trial: {selection.trial} ({row['status']}, epoch {row['epoch']} of {row['epochs']}, seed {row['seed']})",
        f"digest: {row['digest']}",
        f"rule: {selection.rule}, of {choice.candidates} configurations{within}",
        f"choice: {choice_text(values, choice)}",
        f"trainings: {trainings_text(len(trainings))}, {trials_text(trainings, len(trainings))}",
        "estimates: " + ", ".join(f"{metric}={value_text(value)}" for metric, value in estimates.items()),
        "on the validation set: " + ", ".join(f"{metric}={float(row[metric]):.6g}" for metric in estimates),
        *(
            [f"mean of the trainings: {', '.join(f'{each}={number_text(v.raw)}' for each, v in estimates.items())}"]
            if len(trainings) > 1
            else []
        ),
    ]


def _plain_rows(front: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows as dictionaries. pandas reads a null parameter as NaN, which is turned back into None."""
    return [
        {str(key): None if str(key).startswith(PARAM) and pd.isna(value) else value for key, value in row.items()}
        for row in front.to_dict("records")
    ]
