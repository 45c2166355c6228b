"""A benchmark from one YAML: what all rows share, and for each row a space to search, or a grid of fixed trials."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from groupdir.config.base import Strict
from groupdir.config.change import change, put
from groupdir.config.metric_fields import SearchMetric, unmeasurable
from groupdir.config.space import StudyConfig, study_from
from groupdir.config.trial import TrialConfig, expand_paths, override
from groupdir.config.validation import explain
from groupdir.config.yamlfile import Document
from groupdir.errors import ConfigError, Mistake
from groupdir.registry import did_you_mean

KEYS = ("name", "benchmark", "rows", "grid")
TRIAL_KEYS = (*TrialConfig.model_fields, "search")


class BenchmarkConfig(Strict):
    """What is done with each row, and the shape in which it is printed."""

    shape: Literal["table1", "table3", "group_losses", "lambdas"] = Field(
        "table1", description="table1: MAE and GM; table3: MSE and Pearson; group_losses, lambdas: of a grid."
    )
    select: SearchMetric = Field("val_mae_all", description="The trial with the best value represents its row.")
    seeds: int = Field(5, ge=1, description="Of the chosen trial, measured on the test set.")
    published: Literal["table1", "table2", "table3"] | None = Field(
        None, description="The paper's benchmark to print beside ours, where the data set is the paper's."
    )


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        label: As it is printed.
        cell: What a grid gives it, by address; of a mapping its name.
        study: What to search, or None.
        config: Of a grid: what to train, or None.
    """

    label: str
    cell: Mapping[str, Any] = field(default_factory=dict)
    study: StudyConfig | None = None
    config: TrialConfig | None = None

    @property
    def folder(self) -> str:
        """Its folder's name.

        >>> Row("Group-DIR CE").folder
        'Group-DIR_CE'
        """
        return re.sub(r"[^\w+=.,-]+", "_", self.label)


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: its name, what is done with each row, and the rows in order."""

    name: str
    config: BenchmarkConfig
    rows: tuple[Row, ...]
    document: Document = field(repr=False, compare=False)


def is_benchmark(document: Document) -> bool:
    """Whether a file is a benchmark and not a trial or a study."""
    return "rows" in document.data or "grid" in document.data


def load_benchmark(path: str | Path, overrides: Sequence[str] = ()) -> Benchmark:
    """Reads a benchmark and builds every row's trials at the corners of its space.

    Args:
        path: The YAML file. `rows` maps labels to files beside it, whose method section is taken, or to `{from: file,
            set: {address: value}}`; `grid` maps addresses to lists of values, all combinations of which are rows.
        overrides: `address=value` texts, as of `--set`.

    Raises:
        ConfigError: Every mistake at once, each with file and line.
    """
    document = override(Document.read(path), overrides)
    data, mistakes = expand_paths(document)
    document = Document(document.name, data, document.lines)
    if is_benchmark(document) == ("rows" in data and "grid" in data):
        mistakes.append(
            document.mistake((), "must have either `rows` or a `grid`, and this is how a benchmark is known")
        )
    known = (*KEYS, *TRIAL_KEYS)
    mistakes += [
        document.mistake((key,), f"unknown key: {did_you_mean(str(key), known)}") for key in data if key not in known
    ]
    config = BenchmarkConfig()
    try:
        config = BenchmarkConfig.model_validate(data.get("benchmark", {}))
    except ValidationError as error:
        found = explain(error, BenchmarkConfig, data.get("benchmark", {}))
        mistakes += [document.mistake(("benchmark", *at), text) for at, text in found]
    if mistakes:
        raise ConfigError(mistakes)
    rows = _searched(document) if "rows" in data else _gridded(document)
    folders = [row.folder for row in rows]
    if twice := sorted({name for name in folders if folders.count(name) > 1}):
        raise ConfigError([document.mistake(("rows",), f"two rows would write into one folder: {', '.join(twice)}")])
    if mistakes := [document.mistake(("benchmark", "select"), text) for text in _unselectable(config.select, rows)]:
        raise ConfigError(mistakes)
    return Benchmark(str(data.get("name", Path(document.name).stem)), config, tuple(rows), document)


def _unselectable(metric: str, rows: Sequence[Row]) -> list[str]:
    """Return why rows that are searched cannot be selected by a metric, one text for each such row."""
    texts = []
    for row in rows:
        corners = () if row.study is None else (row.study.space.build(params) for params in row.study.space.corners())
        if why := next(filter(None, (unmeasurable({"": metric}, corner.method).get("") for corner in corners)), None):
            texts.append(f"row {row.label}: {why}")
    return texts


def _searched(document: Document) -> list[Row]:
    rows, mistakes = [], list[Mistake]()
    for label, entry in document.data["rows"].items():
        at = ("rows", label)
        try:
            if not isinstance(entry, str) and not (isinstance(entry, dict) and set(entry) <= {"from", "set"}):
                raise ConfigError(
                    [document.mistake(at, f"must be a file, or {{from: file, set: {{}}}}, got {entry!r}")]
                )
            row = _combined(document, str(label), entry)
            rows.append(Row(str(label), study=_with_equal_epochs(row, document.name)))
        except ConfigError as error:
            mistakes += [mistake if mistake.file else document.mistake(at, str(mistake)) for mistake in error.mistakes]
    if mistakes:
        raise ConfigError(list(dict.fromkeys(mistakes)))
    return rows


def _combined(document: Document, label: str, entry: str | dict[str, Any]) -> Document:
    """The row's own space: the benchmark's sections, and the method of the row's file with its changes."""
    name, changes = (entry, {}) if isinstance(entry, str) else (entry.get("from"), entry.get("set", {}))
    own = Document.read(Path(document.name).parent / str(name))
    data = json.loads(json.dumps({key: value for key, value in document.data.items() if key in TRIAL_KEYS}))
    data |= {"name": label.replace("/", "_"), "method": json.loads(json.dumps(own.data.get("method")))}
    for address, value in changes.items():
        change(TrialConfig, data, tuple(str(address).split(".")), value)
    lines = {at: line for at, line in own.lines.items() if at[:1] == ("method",)}
    return Document(own.name, data, lines)


def _with_equal_epochs(row: Document, benchmark: str) -> StudyConfig:
    """Return a row's study, whose stages together have the `train.epochs` of the benchmark.

    Raises:
        ConfigError: A mistake of the row; or its trials cannot have that number of epochs.
    """
    study = study_from(row)
    configs = [study.space.build(params) for params in study.space.corners()]
    if all(config.total_epochs == config.train.epochs for config in configs):
        return study
    total = row.data.get("train", {}).get("epochs")
    text = f"all stages of a row together must have the train.epochs of {benchmark}"
    if not isinstance(total, int):
        raise ConfigError([row.mistake(("method",), f"{text}, which must be one number, got {total!r}")])
    try:
        epochs = {config.with_total_epochs(total).train.epochs for config in configs}
    except ConfigError as error:
        raise ConfigError([row.mistake(("method",), f"{text}: {error.mistakes[0].message}")]) from error
    if len(epochs) > 1:
        left = ", ".join(map(str, sorted(epochs)))
        raise ConfigError([row.mistake(("method",), f"{text}, but leave {left} for the last stage: fix their epochs")])
    put(row.data, ("train", "epochs"), epochs.pop())
    return study_from(row)


def _gridded(document: Document) -> list[Row]:
    grid = document.data["grid"]
    base = {key: value for key, value in document.data.items() if key in TRIAL_KEYS and key != "search"}
    rows, mistakes = [], list[Mistake]()
    for part in grid if isinstance(grid, list) else [grid]:
        if not isinstance(part, dict) or not all(isinstance(values, list) and values for values in part.values()):
            raise ConfigError([document.mistake(("grid",), f"must map addresses to lists of values, got {part!r}")])
        for values in itertools.product(*part.values()):
            cell = dict(zip(part, values, strict=True))
            data = json.loads(json.dumps(base))
            for address, value in cell.items():
                change(TrialConfig, data, tuple(address.split(".")), value)
            try:
                config = TrialConfig.from_document(Document(document.name, data, document.lines))
            except ConfigError as error:
                mistakes += error.mistakes
                continue
            cell = {address: _shown(value, part[address]) for address, value in cell.items()}
            label = ",".join(f"{address.rpartition('.')[2]}={value}" for address, value in cell.items())
            rows.append(Row(label, cell, config=config))
    if mistakes:
        raise ConfigError(list(dict.fromkeys(mistakes)))
    return rows


def _shown(value: Any, values: Sequence[Any]) -> Any:
    """Return a value of a grid as labels show it: a mapping by its name, where no other value has the same name.

    >>> _shown({"name": "rebat", "decay": 0.98}, ["ce", {"name": "rebat", "decay": 0.98}])
    'rebat'
    """
    names = [item.get("name") if isinstance(item, Mapping) else item for item in values]
    if not isinstance(value, Mapping):
        return value
    name = value.get("name")
    return name if name is not None and names.count(name) == 1 else json.dumps(value)
