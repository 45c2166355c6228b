"""Choice of a configuration as JSON; docs/json_output.md describes the keys."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.estimates import failed_confirmations, shown_metrics
from analysis.front import estimated_rows
from analysis.load import StudyResults
from analysis.select import Selection
from analysis.selection_text import confirm_command, train_command
from groupdir.files.study_files import ON_FRONT, TRAININGS


def selection_to_json(study: StudyResults, selection: Selection) -> dict[str, Any]:
    """Return the front and the chosen configuration for a program to read."""
    choice = selection.choice
    chosen = estimated_rows(study, include_stopped=selection.include_stopped).iloc[[choice.index]]
    return {
        "study": study.name,
        "folder": str(study.folder),
        "left": study.left,
        "objectives": dict(study.objectives),
        "rule": selection.rule,
        "within": dict(selection.tolerances),
        "trial": selection.trial,
        "chance": choice.chance,
        "rivals": [selection.values.trials[index] for index in choice.rivals],
        "candidates": choice.candidates,
        "file": str(selection.file),
        "confirm": confirm_command(study, selection),
        "next": train_command(selection),
        "chosen": _entries(study, selection, chosen)[0],
        "front": _entries(study, selection, selection.front),
    }


def _entries(study: StudyResults, selection: Selection, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return an entry for each row of `analysis.front.estimated_rows`."""
    failed = failed_confirmations(study)
    entries: list[dict[str, Any]] = []
    for row in rows.to_dict("records"):
        trial = int(row["trial"])
        index = selection.values.index(trial)
        estimates = {metric: selection.values.of(metric).value(index) for metric in shown_metrics(study)}
        entries.append(
            {
                "trial": trial,
                "status": row["status"],
                "epoch": int(row["epoch"]),
                "seed": int(row["seed"]),
                "metrics": {metric: float(row[metric]) for metric in estimates},
                "estimates": {
                    metric: {
                        "mean": value.mean, "low": value.low, "high": value.high, "raw": value.raw,
                        "seeds": value.trainings,
                    }
                    for metric, value in estimates.items()
                },
                "seeds": int(row[TRAININGS]),
                "failed": failed.get(trial, (0, 0))[0],
                ON_FRONT: float(row[ON_FRONT]),
                "parameters": dict(study.params[trial]),
            }
        )  # fmt: skip
    return entries
