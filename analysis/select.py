"""Choice of one configuration from the front by a named rule, on validation data alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.constraints import keep_constraints
from analysis.load import StudyResults, short_text
from analysis.pareto import pareto_front
from analysis.rules import KNEE, RULES
from groupdir.command_line.next_command import next_command
from groupdir.errors import DataError
from groupdir.files.parquet import write_parquet
from groupdir.files.study_files import FRONT, PARAM, TRIALS, best_file
from groupdir.files.write_whole import write_whole
from groupdir.metrics import ALL, ALL_AND_SHOTS, metric_name, parse_metric, sign


@dataclass(frozen=True)
class Selection:
    """Choice of a configuration from a front.

    Attributes:
        rule: Name of the rule.
        trial: Number of the chosen trial.
        front: Rows of the front, sorted by the first objective.
        file: YAML file of the chosen configuration.
    """

    rule: str
    trial: int
    front: pd.DataFrame
    file: Path


def metric_of(study: StudyResults, shot: str) -> str:
    """Return the validation metric that a rule for this shot reads.

    If an objective is of this shot, the metric is that objective. Otherwise it is the metric of an objective at this
    shot (`val_mse_few` for the objective `val_mse_all`), or else the mean absolute error.
    """
    parsed = {name: parse_metric(name) for name in study.objectives}
    of_shot = [name for name, parts in parsed.items() if parts.shot == shot]
    related = [metric_name(parts.split, parts.metric.name, shot) for parts in parsed.values() if parts.shot]
    return [*of_shot, *(name for name in related if name in study.trials.columns), metric_name("val", "mae", shot)][0]


def shot_metrics_of(study: StudyResults) -> list[str]:
    """Return the recorded metrics of all samples and of each shot, without duplicates."""
    return [name for name in dict.fromkeys(metric_of(study, shot) for shot in ALL_AND_SHOTS) if name in study.trials]


def costs(rows: pd.DataFrame, metrics: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return costs `(rows, metrics)`. Metrics to maximise are negated; missing metrics are NaN."""
    values = rows.reindex(columns=list(metrics)).to_numpy(dtype=np.float64)
    signs = np.array([sign(metric) for metric in metrics])
    return np.asarray(values * signs)


def find_front(study: StudyResults, *, include_stopped: bool = False) -> pd.DataFrame:
    """Return the rows of the trials on the Pareto front, sorted by the first objective.

    Trials that violate one of the study's constraints are skipped.

    Args:
        study: Results of the study.
        include_stopped: True to include trials that the scheduler stopped, at their selected epoch. False for trials
            that trained to their last epoch only.

    Raises:
        DataError: If no trial can be on the front. The message counts the trials, or names the constraints that no
            trial satisfies.
    """
    statuses = ["finished", "stopped"] if include_stopped else ["finished"]
    rows = keep_constraints(study, study.searched[study.searched["status"].isin(statuses)])
    points = costs(rows, list(study.objectives))
    front = rows[pareto_front(points)]
    if front.empty:
        counts = ", ".join(f"{number} {status}" for status, number in study.counts().items()) or "none"
        reason = "has a value for every objective" if len(rows) else f"is {' or '.join(statuses)}"
        raise DataError(
            f"{study.folder}: no trial {reason} (trials: {counts}), so there is no front; continue with "
            f"`{next_command('resume', study.folder)}`" + ("" if include_stopped else ", or use --include-stopped")
        )
    order = np.argsort(costs(front, list(study.objectives)[:1])[:, 0], kind="stable")
    return front.iloc[order]


def choose(study: StudyResults, front: pd.DataFrame, rule: str) -> int:
    """Return the number of the trial that a rule chooses from the front.

    The rule of a shot, or `all`, chooses the best value of `metric_of` this shot. The rule `knee` scales every
    objective to [0, 1] over the front and chooses the point with the smallest Euclidean distance to the ideal point,
    which is 0 in all objectives. Ties go to the better metric over all samples, then to the lower trial number.

    Raises:
        DataError: If the rule's metric has no finite value on the front.
        ValueError: If the rule is unknown.
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}")
    metrics = list(study.objectives) if rule == KNEE else [metric_of(study, rule)]
    points = costs(front, metrics)
    usable = np.flatnonzero(np.isfinite(points).all(axis=1))
    if not len(usable):
        raise DataError(
            f"{study.folder}: rule {rule} cannot choose: no trial on the front has a finite {', '.join(metrics)}"
        )
    points = points[usable]
    if rule == KNEE:
        low, span = points.min(axis=0), np.ptp(points, axis=0)
        points = (points - low) / np.where(span > 0, span, 1.0)
    score = np.linalg.norm(points, axis=1) if rule == KNEE else points[:, 0]
    ties = costs(front.iloc[usable], [metric_of(study, ALL)])[:, 0]
    trials = front["trial"].to_numpy()[usable]
    return int(trials[np.lexsort((trials, ties, score))[0]])


def choices(study: StudyResults, front: pd.DataFrame) -> dict[str, int]:
    """Return the chosen trial of each rule whose metric has a value on the front.

    For example, a validation set without few-shot labels has no trial for the rule `few`.
    """

    def has_values(rule: str) -> bool:
        """Return True if a trial of the front has finite values of all metrics of a rule."""
        metrics = list(study.objectives) if rule == KNEE else [metric_of(study, rule)]
        return bool(np.isfinite(costs(front, metrics)).all(axis=1).any())

    return {rule: choose(study, front, rule) for rule in RULES if has_values(rule)}


def select_config(study: StudyResults, rule: str, *, include_stopped: bool = False) -> Selection:
    """Choose a configuration and write front.parquet and best_<rule>.yaml into the study's folder.

    The YAML file holds the exact configuration of the trial. Comments in it name the study, the trial and the rule.

    Raises:
        DataError: If there is no front or no configuration of the chosen trial.
    """
    front = find_front(study, include_stopped=include_stopped)
    trial = choose(study, front, rule)
    if trial not in study.configs:
        raise DataError(f"{study.folder / TRIALS}: the footer has no configuration of trial {trial}")
    row = front[front["trial"] == trial].iloc[0]
    metrics = dict.fromkeys([*study.objectives, *shot_metrics_of(study)])
    lines = [
        f"study: {study.name}",
        f"trial: {trial} ({row['status']}, epoch {row['epoch']} of {row['epochs']}, seed {row['seed']})",
        f"digest: {row['digest']}",
        f"rule: {rule}, of {len(front)} configurations on the front",
        "on the validation set: " + ", ".join(f"{metric}={float(row[metric]):.6g}" for metric in metrics),
    ]
    header = "".join(f"# {' '.join(line.split())}\n" for line in lines)  # keeps a name with a line break in its comment
    body = yaml.safe_dump(dict(study.configs[trial]), sort_keys=False, allow_unicode=True)
    file = write_whole(study.folder / best_file(rule), header + body)
    write_parquet(study.folder / FRONT, _plain_rows(front), dict(study.footer))
    return Selection(rule, trial, front, file)


def front_table(study: StudyResults, front: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return the header and rows of the front as texts: trial, objectives, error over all samples, parameters."""
    metrics = list(dict.fromkeys([*study.objectives, metric_of(study, ALL)]))
    metrics = [metric for metric in metrics if metric in front.columns]
    rows = [
        [str(trial), *(f"{value:.4g}" for value in values), *_param_texts(study, trial)]
        for trial, values in zip(front["trial"].tolist(), front[metrics].to_numpy().tolist(), strict=True)
    ]
    return ["trial", *metrics, *study.param_names], rows


def print_selection(study: StudyResults, selection: Selection, console: Console | None = None) -> None:
    """Print the front with the chosen trial marked, the written file and the next command."""
    console = console or Console()
    header, rows = front_table(study, selection.front)
    marked = [["*" if row[0] == str(selection.trial) else "", *row] for row in rows]
    if console.is_terminal:
        numbers = len(header) - len(study.param_names)  # parameters share one column, which may wrap; numbers may not
        table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title=Text(f"front of {study.name}"))
        for name in ["", *header[:numbers]]:
            table.add_column(Text(name.replace("_", "\n")), no_wrap=True)
        table.add_column("parameters")
        for row in marked:
            params = ", ".join(
                f"{name} {text}" for name, text in zip(header[numbers:], row[numbers + 1 :], strict=True)
            )
            cells = [
                Text(text) for text in (*row[: numbers + 1], params)
            ]  # Text: square brackets of a list are no markup
            table.add_row(*cells, style="bold green" if row[0] else None)
        console.print(table)
    else:
        lines = [["", *header], *marked]
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        for line in lines:
            print("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())
    stopped = int((selection.front["status"] == "stopped").sum())
    note = f" ({stopped} stopped before the last epoch)" if stopped else ""
    print(f"{len(rows)} on the front{note}; rule {selection.rule} chooses trial {selection.trial}, marked *")
    print(f"wrote {selection.file}")
    print(f"next: {_train_command(selection)}")


def selection_to_json(study: StudyResults, selection: Selection) -> dict[str, Any]:
    """Return the front and the chosen trial for a program to read. docs/json_output.md describes the keys."""
    metrics = [name for name in dict.fromkeys([*study.objectives, *shot_metrics_of(study)]) if name in selection.front]
    front = [
        {
            "trial": int(row["trial"]),
            "status": row["status"],
            "epoch": int(row["epoch"]),
            "seed": int(row["seed"]),
            "metrics": {metric: float(row[metric]) for metric in metrics},
            "parameters": dict(study.params[int(row["trial"])]),
        }
        for row in selection.front.to_dict("records")
    ]
    return {
        "study": study.name,
        "folder": str(study.folder),
        "objectives": dict(study.objectives),
        "rule": selection.rule,
        "trial": selection.trial,
        "file": str(selection.file),
        "next": _train_command(selection),
        "front": front,
    }


def _train_command(selection: Selection) -> str:
    return next_command("train", selection.file, "--seeds", 5, "--beside", "vanilla")


def _param_texts(study: StudyResults, trial: int) -> list[str]:
    params = study.params[trial]
    return [short_text(params[name]) if name in params else "-" for name in study.param_names]


def _plain_rows(front: pd.DataFrame) -> list[dict[str, object]]:
    """Return the rows as dictionaries. pandas reads a null parameter as NaN, which is turned back into None."""
    return [
        {str(key): None if str(key).startswith(PARAM) and pd.isna(value) else value for key, value in row.items()}
        for row in front.to_dict("records")
    ]
