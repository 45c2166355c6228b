"""Export of the event log to the files that `analysis` and TensorBoard read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from groupdir.files.parquet import write_parquet
from groupdir.files.study_files import (
    EPOCH_FIELDS,
    EPOCH_KEY,
    EPOCHS,
    EXPORTED,
    PARAM,
    TENSORBOARD,
    TRIAL_FIELDS,
    TRIALS,
    metrics_of,
    trial_folder,
)
from groupdir.files.write_whole import discard_partials, whole_folder, write_whole
from groupdir.study.state import StudyState, TrialState
from launch.study.study import Study

EVENT_FILE = "events.out.tfevents.0"
"""Name of the file of a TensorBoard run. TensorBoard recognises it by `tfevents`."""


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
    discard_partials(study.folder / TENSORBOARD)  # the study's lock excludes other drivers
    objectives = list(study.config.search.objectives)
    with whole_folder(study.folder / TENSORBOARD, replace=True) as partial:
        for number, trial in sorted(study.state.trials.items()):
            _write_run(partial / trial_folder(number), trial, objectives)


def mark_exported(study: Study) -> None:
    """Record that the tables and the TensorBoard runs hold the present state of the study."""
    write_whole(study.folder / TENSORBOARD / EXPORTED, json.dumps(_exported(study)))


def is_exported(study: Study) -> bool:
    """Return whether the exported files are complete and hold the present state of the study.

    Files count as changed if their size or time of change differs from that at the end of the last export.
    """
    try:
        known = json.loads((study.folder / TENSORBOARD / EXPORTED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(known == _exported(study))


def _exported(study: Study) -> dict[str, Any]:
    """Return what identifies an export: the last event, and size and time of change of both tables."""
    tables = [(study.folder / name) for name in (EPOCHS, TRIALS)]
    files = {table.name: [table.stat().st_size, table.stat().st_mtime_ns] for table in tables if table.is_file()}
    return {"last_change": study.state.last_change, "files": files}


def _write_run(folder: Path, trial: TrialState, objectives: Sequence[str]) -> None:
    """Write the run of a trial.

    All metrics of an epoch are one record. A `SummaryWriter` would start a thread for each trial and write a record for
    each metric, which takes minutes for thousands of trials.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    folder.mkdir()
    with (folder / EVENT_FILE).open("wb") as file:
        writer = RecordWriter(file)
        begin = float(trial.rows[0]["time"]) if trial.rows else 0.0
        writer.write(Event(wall_time=begin, file_version="brain.Event:2").SerializeToString())
        for time, step, summary in _summaries(trial, objectives):
            writer.write(Event(wall_time=time, step=step, summary=summary).SerializeToString())


def _summaries(trial: TrialState, objectives: Sequence[str]) -> Iterator[tuple[float, int, Any]]:
    """Yield time, step and content of the records of a trial.

    The plain name of an objective is its final value, which the HParams plug-in shows.
    """
    from tensorboard.compat.proto.summary_pb2 import Summary
    from torch.utils.tensorboard.summary import hparams

    values = {name: trial.value(name) for name in objectives if math.isfinite(trial.value(name))}
    params = {name: _plain(value) for name, value in trial.params.items()}
    begin = float(trial.rows[0]["time"]) if trial.rows else 0.0
    for summary in hparams(params, values):  # type: ignore[no-untyped-call]
        yield begin, 0, summary
    if values:
        yield float(trial.rows[-1]["time"]), trial.epoch, _scalars(Summary, values)
    for row in trial.rows:
        metrics = metrics_of(row).items()
        curves = {f"curve/{name}" if name in objectives else name: value for name, value in metrics}
        yield float(row["time"]), int(row["epoch"]), _scalars(Summary, curves)


def _scalars(summary: Any, values: dict[str, float]) -> Any:
    """Return the record of some numbers. A NaN is left out."""
    return summary(
        value=[summary.Value(tag=name, simple_value=value) for name, value in values.items() if not math.isnan(value)]
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str) else json.dumps(value)
