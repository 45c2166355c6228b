"""The store as files that analysis reads: epochs.parquet, trials.parquet, tensorboard/."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from groupdir.files.records import EPOCH_FIELDS, PARAM, write_parquet
from groupdir.study.state import StudyState, TrialState
from launch.study.study import Study

EPOCHS = "epochs.parquet"
TRIALS = "trials.parquet"
TENSORBOARD = "tensorboard"


def write_records(study: Study) -> None:
    """Writes both Parquet files, with the study and every trial's exact configuration in the footer."""
    configs = {str(number): dict(trial.config) for number, trial in sorted(study.state.trials.items())}
    footer = {"study": study.config.to_dict(), "configs": configs}
    write_parquet(study.folder / EPOCHS, epoch_rows(study.state), footer)
    write_parquet(study.folder / TRIALS, trial_rows(study.state), footer)


def metrics(row: Mapping[str, Any]) -> dict[str, float]:
    """The metrics of an epoch alone."""
    return {name: value for name, value in row.items() if name not in EPOCH_FIELDS}


def epoch_rows(state: StudyState) -> list[dict[str, Any]]:
    """One row per trial, seed and epoch, sorted."""
    return [
        {"trial": trial.number, "seed": trial.seed}
        | {name: row[name] for name in EPOCH_FIELDS if name not in ("seq", "last")}
        | metrics(row)
        for _, trial in sorted(state.trials.items())
        for row in sorted(trial.rows, key=lambda row: int(row["epoch"]))
    ]


def trial_rows(state: StudyState) -> list[dict[str, Any]]:
    """One row per trial."""
    trials = [trial for _, trial in sorted(state.trials.items())]
    params = list(dict.fromkeys(name for trial in trials for name in trial.params))
    return [trial_row(trial, params) for trial in trials]


def trial_row(trial: TrialState, params: list[str]) -> dict[str, Any]:
    """A trial with the metrics of its selected epoch; a parameter that was not active is null."""
    row = trial.selected or {}
    about = ("seed", "role", "label", "status", "message", "digest")
    return (
        {"trial": trial.number}
        | {name: vars(trial)[name] for name in about}
        | {"epochs": trial.epoch, "epoch": row.get("epoch"), "seconds": trial.seconds}
        | {PARAM + name: json.dumps(trial.params[name]) if name in trial.params else None for name in params}
        | metrics(row)
    )


def write_tensorboard(study: Study) -> None:
    """Writes one TensorBoard run per trial: its curves, and a record for the HParams plug-in."""
    from torch.utils.tensorboard import SummaryWriter
    from torch.utils.tensorboard.summary import hparams

    folder = study.folder / TENSORBOARD
    beside = study.folder / f".{TENSORBOARD}.part"
    shutil.rmtree(beside, ignore_errors=True)
    objectives = study.config.search.objectives
    for number, trial in sorted(study.state.trials.items()):
        with SummaryWriter(str(beside / f"{number:04d}")) as writer:
            values = {name: trial.value(name) for name in objectives if trial.value(name) == trial.value(name)}
            params = {name: _plain(value) for name, value in trial.params.items()}
            for record in hparams(params, values):  # type: ignore[no-untyped-call]
                assert writer.file_writer is not None
                writer.file_writer.add_summary(record)
            for name, value in values.items():
                writer.add_scalar(name, value, trial.epoch)
            for row in trial.rows:
                for name, value in metrics(row).items():
                    if value == value and name not in objectives:
                        writer.add_scalar(name, value, row["epoch"])
                    elif value == value:
                        writer.add_scalar(f"curve/{name}", value, row["epoch"])
    _replace(beside, folder)


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)


def _replace(beside: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if beside.exists():
        beside.rename(folder)
