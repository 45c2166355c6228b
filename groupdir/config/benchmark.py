"""Benchmarks read from YAML. A row is a study, or a fixed trial of a grid; all rows share data, encoder and budget."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from groupdir.config.base import Strict
from groupdir.config.change import change_all, put
from groupdir.config.file_kind import is_benchmark
from groupdir.config.grid import expand_grid
from groupdir.config.metric_fields import SearchMetric, unmeasurable
from groupdir.config.paths import expand_paths
from groupdir.config.replications import open_seeds
from groupdir.config.space import StudyConfig, study_from
from groupdir.config.trial import TrialConfig, override
from groupdir.config.validation import explain
from groupdir.config.yamlfile import Document
from groupdir.config.yamlvalues import shortened
from groupdir.errors import ConfigError, Mistake
from groupdir.files.study_files import BLOCK_PREFIX, CONFIRMED
from groupdir.metrics import parse_metric
from groupdir.names import MOST_NAME_BYTES, check_label, check_name
from groupdir.registry import did_you_mean

KEYS = ("name", "benchmark", "rows", "grid")
YAML_SUFFIXES = (".yaml", ".yml")
TRIAL_KEYS = (*TrialConfig.model_fields, "search")
MOST_ROWS = 200
"""Largest number of searched rows, each of which is validated at the corners of its search space."""


class BenchmarkConfig(Strict):
    """Options of a benchmark: how the result of a row is chosen, measured and printed."""

    shape: Literal["table1", "table3", "group_losses", "lambdas"] = Field(
        "table1",
        description="Layout of the printed table. table1: MAE and GM; table3: MSE and Pearson; group_losses and "
        "lambdas: grids.",
    )
    select: SearchMetric = Field(
        "val_mae_all", description="Metric that chooses the configuration of each row: the one with the best estimate."
    )
    seeds: int = Field(
        5, ge=1, description="Seeds on which the chosen configuration of a row is trained and measured, in each block."
    )
    replications: int = Field(
        1,
        ge=1,
        description="Blocks. Each repeats the whole pipeline of every row with seeds of its own: draw of the data, "
        "search, choice and measurement. Methods can be compared from 2 blocks on.",
    )
    published: Literal["table1", "table2", "table3"] | None = Field(
        None,
        description="Table of the paper to print next to the results, if the data set is one of the paper; null: none.",
    )


@dataclass(frozen=True)
class Row:
    """Row of a benchmark.

    Attributes:
        label: Label that is printed.
        cell: Values of the grid in this row, by address. A mapping is shown by its name.
        study: Study to search; None in a grid.
        config: Trial to train; None outside a grid.
    """

    label: str
    cell: Mapping[str, Any] = field(default_factory=dict)
    study: StudyConfig | None = None
    config: TrialConfig | None = None

    @property
    def folder(self) -> str:
        """Name of the folder of the row.

        >>> Row("Group-DIR CE").folder
        'Group-DIR_CE'
        """
        name = re.sub(r"[^\w+=.,-]+", "_", self.label)
        if len(name.encode()) <= MOST_NAME_BYTES:
            return name
        return f"{name[: MOST_NAME_BYTES // 8]}-{hashlib.sha256(self.label.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Benchmark:
    """Benchmark with its options and its rows in order."""

    name: str
    config: BenchmarkConfig
    rows: tuple[Row, ...]
    document: Document = field(repr=False, compare=False)


def load_benchmark(path: str | Path, overrides: Sequence[str] = ()) -> Benchmark:
    """Read a benchmark and validate all its rows. Build the trials of each row at the corners of its search space.

    Args:
        path: YAML file. `rows` maps each label to a file whose method section is used, or to `{from: file, set:
            {address: value}}`; these files are in the same folder. `grid` maps addresses to lists of values, and every
            combination of values is a row.
        overrides: Strings `address=value`, as in `--set`.

    Raises:
        ConfigError: If the file has mistakes. The error lists all of them with file and line.
    """
    document = override(Document.read(path), overrides)
    data, mistakes = expand_paths(document)
    document = Document(document.name, data, document.lines)
    if is_benchmark(document) == ("rows" in data and "grid" in data):
        mistakes.append(document.mistake((), "a benchmark must have `rows` or a `grid`, and not both"))
    known = (*KEYS, *TRIAL_KEYS)
    mistakes += [
        document.mistake((key,), f"unknown key: {did_you_mean(str(key), known)}") for key in data if key not in known
    ]
    name, config = data.get("name", Path(document.name).stem), BenchmarkConfig()
    try:
        check_name(name)
    except ValueError as error:
        mistakes.append(document.mistake(("name",), str(error)))
    try:
        config = BenchmarkConfig.model_validate(data.get("benchmark", {}))
    except ValidationError as error:
        explained = explain(error, BenchmarkConfig, data.get("benchmark", {}))
        mistakes += [document.mistake(("benchmark", *at), text) for at, text in explained]
    if mistakes:
        raise ConfigError(mistakes)
    rows = _searched(document) if "rows" in data else _gridded(document)
    folders = [row.folder for row in rows]
    if twice := sorted({name for name in folders if folders.count(name) > 1}):
        raise ConfigError([document.mistake(("rows",), f"two rows would write into one folder: {', '.join(twice)}")])
    if mistakes := [document.mistake(("benchmark", "select"), text) for text in _unselectable(config.select, rows)]:
        raise ConfigError(mistakes)
    if config.replications > 1 and (texts := _unrepeatable(rows)):
        raise ConfigError([document.mistake(("benchmark", "replications"), text) for text in texts])
    return Benchmark(name, config, tuple(rows), document)


def _unselectable(metric: str, rows: Sequence[Row]) -> list[str]:
    """Return a message for each row whose trials cannot be selected by a metric, because they do not measure it."""
    if parse_metric(metric).metric.compares != "groups":
        return []  # every method measures it, and a benchmark has thousands of corners
    texts = []
    for row in rows:
        corners = () if row.study is None else row.study.space.corner_trials
        if why := next(filter(None, (unmeasurable({"": metric}, corner.method).get("") for corner in corners)), None):
            texts.append(f"row {row.label}: {why}")
    return texts


def _unrepeatable(rows: Sequence[Row]) -> list[str]:
    """Return a message for each row that cannot have the seeds of a block, because its search varies a seed."""
    addresses = {row.label: open_seeds(row.study) for row in rows if row.study is not None}
    text = "each block sets the seeds, but the search varies"
    return [f"row {label}: {text} {' and '.join(names)}: give one value" for label, names in addresses.items() if names]


def _searched(document: Document) -> list[Row]:
    rows, mistakes = [], list[Mistake]()
    entries = document.data["rows"]
    if not isinstance(entries, dict) or not entries:
        text = f"must map each label to a file, got {shortened(entries)}"
        raise ConfigError([document.mistake(("rows",), text)])
    if len(entries) > MOST_ROWS:
        raise ConfigError([document.mistake(("rows",), f"must have at most {MOST_ROWS} rows, got {len(entries):,}")])
    for label, entry in entries.items():
        at = ("rows", label)
        try:
            _check_label(label)
            if not isinstance(entry, str) and not _is_changed_file(entry):
                raise ConfigError(
                    [
                        document.mistake(
                            at, f"must be a file or {{from: file, set: {{address: value}}}}, got {shortened(entry)}"
                        )
                    ]
                )
            row = _combined(document, str(label), entry)
            rows.append(Row(str(label), study=_with_equal_epochs(row, document.name)))
        except ConfigError as error:
            mistakes += [mistake if mistake.file else document.mistake(at, str(mistake)) for mistake in error.mistakes]
    if mistakes:
        raise ConfigError(list(dict.fromkeys(mistakes)))
    return rows


def _check_label(label: str) -> None:
    """Refuse a label whose folder is impossible or is a folder that every benchmark has.

    Raises:
        ConfigError: If the label cannot be used.
    """
    folder = Row(label).folder
    try:
        check_label(label)
        check_name(folder)
    except ValueError as error:
        raise ConfigError(f"the label of a row {error}") from error
    if folder == CONFIRMED or folder.startswith(BLOCK_PREFIX) or folder.endswith(YAML_SUFFIXES):
        raise ConfigError(f"the label of a row must not be the name of a file of each benchmark, got {label!r}: rename")


def _is_changed_file(entry: Any) -> bool:
    """Return whether a value of `rows` is `{from: file, set: {address: value}}`."""
    if not isinstance(entry, dict) or not set(entry) <= {"from", "set"}:
        return False
    return isinstance(entry.get("from"), str) and isinstance(entry.get("set", {}), dict)


def _combined(document: Document, label: str, entry: str | dict[str, Any]) -> Document:
    """Return the search space of a row: the sections of the benchmark and the method of the row's file, changed."""
    name, changes = (entry, {}) if isinstance(entry, str) else (entry.get("from"), entry.get("set", {}))
    method_file = Document.read(Path(document.name).parent / str(name))
    data = json.loads(json.dumps({key: value for key, value in document.data.items() if key in TRIAL_KEYS}))
    data |= {"name": label.replace("/", "_"), "method": json.loads(json.dumps(method_file.data.get("method")))}
    change_all(TrialConfig, data, changes)
    lines = {at: line for at, line in method_file.lines.items() if at[:1] == ("method",)}
    return Document(method_file.name, data, lines)


def _with_equal_epochs(row: Document, benchmark: str) -> StudyConfig:
    """Return the study of a row. Set its `train.epochs` so that all its stages have the epochs of the benchmark.

    Raises:
        ConfigError: If the row has mistakes, or its trials cannot have this number of epochs.
    """
    study = study_from(row)
    configs = list(
        {config.stages: config for config in study.space.corner_trials}.values()
    )  # equal stages need equal epochs
    if all(config.total_epochs == config.train.epochs for config in configs):
        return study
    total = row.data.get("train", {}).get("epochs")
    text = f"the stages of a row together must have the train.epochs of {benchmark}"
    if not isinstance(total, int):
        raise ConfigError([row.mistake(("method",), f"{text}, so it must be one number, got {total!r}")])
    try:
        epochs = {config.with_total_epochs(total).train.epochs for config in configs}
    except ConfigError as error:
        raise ConfigError([row.mistake(("method",), f"{text}: {error.mistakes[0].message}")]) from error
    if len(epochs) > 1:
        counts = ", ".join(map(str, sorted(epochs)))
        problem = f"the epochs of the first stage vary, so the last stage would have {counts} epochs"
        raise ConfigError([row.mistake(("method",), f"{text}, but {problem}: fix the epochs of the first stage")])
    put(row.data, ("train", "epochs"), epochs.pop())
    return study_from(row)


def _gridded(document: Document) -> list[Row]:
    base = {key: value for key, value in document.data.items() if key in TRIAL_KEYS and key != "search"}
    rows = []
    for cell, config in expand_grid(document, base):
        label = ",".join(f"{address.rpartition('.')[2]}={value}" for address, value in cell.items())
        rows.append(Row(label, cell, config=config))
    return rows
