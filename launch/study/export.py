"""Export of the event log to the files that `analysis` and TensorBoard read."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from groupdir.files.parquet import write_parquet
from groupdir.files.study_files import (
    EPOCH_FIELDS,
    EPOCH_KEY,
    EPOCHS,
    PARAM,
    TENSORBOARD,
    TRIAL_FIELDS,
    TRIALS,
    metrics_of,
    trial_folder,
)
from groupdir.files.write_whole import discard_partials, whole_folder
from groupdir.study.state import StudyState, TrialState
from launch.study.study import Study

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def write_tables(study: Study) -> None:
    """Write both Parquet files, with the study and the exact configuration of every trial in the footer."""
    configs = {str(number): dict(trial.config) for number, trial in sorted(study.state.trials.items())}
    footer = {"study": study.config.to_dict(), "configs": configs}
    write_parquet(study.folder / EPOCHS, epoch_rows(study.state), footer)
    write_parquet(study.folder / TRIALS, trial_rows(study.state), footer)


def epoch_rows(state: StudyState) -> list[dict[str, Any]]:
    """Return one row for each trial, seed and epoch, in this order."""
    return [
        dict(zip(EPOCH_KEY, (trial.number, trial.seed, row["epoch"]), strict=True))
        | {name: row[name] for name in EPOCH_FIELDS}
        | metrics_of(row)
        for _, trial in sorted(state.trials.items())
        for row in sorted(trial.rows, key=lambda row: int(row["epoch"]))
    ]


def trial_rows(state: StudyState) -> list[dict[str, Any]]:
    """Return one row for each trial, in the order of their numbers."""
    trials = [trial for _, trial in sorted(state.trials.items())]
    params = list(dict.fromkeys(name for trial in trials for name in trial.params))
    return [trial_row(trial, params) for trial in trials]


def trial_row(trial: TrialState, params: list[str]) -> dict[str, Any]:
    """Return the row of a trial, with the metrics of its selected epoch. An inactive parameter is None."""
    row = trial.selected or {}
    renamed = {"trial": trial.number, "epochs": trial.epoch, "epoch": row.get("epoch"), "seconds": trial.seconds}
    return (
        {name: renamed[name] if name in renamed else vars(trial)[name] for name in TRIAL_FIELDS}
        | {PARAM + name: json.dumps(trial.params[name]) if name in trial.params else None for name in params}
        | metrics_of(row)
    )


def write_tensorboard(study: Study) -> None:
    """Write one TensorBoard run for each trial: its curves, and its parameters for the HParams plug-in."""
    from torch.utils.tensorboard import SummaryWriter

    discard_partials(study.folder / TENSORBOARD)  # the study's lock excludes other drivers
    with whole_folder(study.folder / TENSORBOARD, replace=True) as partial:
        for number, trial in sorted(study.state.trials.items()):
            with SummaryWriter(str(partial / trial_folder(number))) as writer:
                _write_run(writer, trial, list(study.config.search.objectives))


def _write_run(writer: SummaryWriter, trial: TrialState, objectives: Sequence[str]) -> None:
    """Write the run of a trial. The plain name of an objective is its final value, which the HParams plug-in shows."""
    from torch.utils.tensorboard.summary import hparams

    values = {name: trial.value(name) for name in objectives if math.isfinite(trial.value(name))}
    params = {name: _plain(value) for name, value in trial.params.items()}
    file: Any = writer.file_writer  # SummaryWriter.add_hparams would write into another folder
    for summary in hparams(params, values):  # type: ignore[no-untyped-call]
        file.add_summary(summary)
    for name, value in values.items():
        writer.add_scalar(name, value, trial.epoch)
    for row in trial.rows:
        for name, value in metrics_of(row).items():
            if not math.isnan(value):
                writer.add_scalar(f"curve/{name}" if name in objectives else name, value, row["epoch"])


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)
