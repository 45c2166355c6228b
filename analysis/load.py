"""Results of a study read from its folder: trials, epochs, and the exact configuration of every trial."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.frame import data_frame
from groupdir.command_line.next_command import next_command
from groupdir.config.space import StudyConfig
from groupdir.errors import ConfigError, DataError
from groupdir.files.parquet import read_parquet
from groupdir.files.study_files import EPOCH_KEY, EPOCHS, PARAM, TRIAL_FIELDS, TRIALS
from groupdir.study.failures import failure_lines
from groupdir.values.values import Values


@dataclass(frozen=True)
class StudyResults:
    """Results of a search.

    Attributes:
        folder: Folder of the study.
        name: Name of the study.
        footer: Footer of the Parquet files, unchanged.
        study: Resolved search space, as in study.yaml.
        trials: One row per trial, sorted by its number; metrics are those of the trial's selected epoch.
        configs: Exact configuration of each trial, by its number.
        suggested: Suggested parameters of each trial by full name, without inactive ones.
        params: The same by short name. The cases of a conditional parameter become one parameter.
        objectives: "min" or "max" for each metric.
        estimates: Estimates that `analysis.estimates` has built, by whether they include stopped trials.
        tables: Tables that `analysis.front.estimated_rows` has built from them, by the same flag.
    """

    folder: Path
    name: str
    footer: Mapping[str, Any]
    study: Mapping[str, Any]
    trials: pd.DataFrame
    configs: Mapping[int, Mapping[str, Any]]
    suggested: Mapping[int, Mapping[str, Any]]
    params: Mapping[int, Mapping[str, Any]]
    objectives: Mapping[str, str]
    estimates: dict[bool, Values] = field(default_factory=dict, init=False, repr=False, compare=False)
    tables: dict[bool, pd.DataFrame] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def config(self) -> StudyConfig:
        """Search space and options of the search.

        Raises:
            DataError: If this version cannot read them.
        """
        try:
            return StudyConfig.from_dict(self.study, "study", recorded=True)
        except ConfigError as error:
            mistakes = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
            raise DataError(
                f"{self.folder / TRIALS}: the study in its footer cannot be read: {mistakes}; was the file written by "
                "`groupdir search` of this version?"
            ) from error

    @cached_property
    def epochs(self) -> pd.DataFrame:
        """One row per (trial, seed, epoch), sorted by them. Read when first asked for: a choice needs trials alone.

        Raises:
            DataError: If epochs.parquet is missing or broken, or has another schema.
        """
        rows, _ = _read(self.folder, EPOCHS, set(EPOCH_KEY))
        return rows.sort_values(list(EPOCH_KEY), ignore_index=True)

    @property
    def searched(self) -> pd.DataFrame:
        """Trials of the search itself, without ablations."""
        return self.trials[self.trials["role"] == "search"]

    @cached_property
    def param_names(self) -> list[str]:
        """Short names of all suggested parameters, in the order of the search space."""
        return list(dict.fromkeys(name for params in self.params.values() for name in params))

    def failures(self) -> list[str]:
        """Return one line for each message of the failed trials; see `groupdir.study.failures.failure_lines`."""
        failed = self.trials[self.trials["status"] == "failed"]
        return failure_lines(
            (int(trial), message if isinstance(message, str) else "")
            for trial, message in zip(failed["trial"], failed["message"], strict=True)
        )

    def counts(self) -> dict[str, int]:
        """Return the number of trials of the search by status."""
        return {str(status): int(number) for status, number in self.searched["status"].value_counts().items()}

    @property
    def left(self) -> int:
        """Number of remaining trials of the search: unfinished ones, and ones to start if no rule ended it."""
        search, counts = self.config.search, self.counts()
        unfinished = counts.get("running", 0) + counts.get("paused", 0)
        spent = search.max_epochs is not None and len(self.epochs) >= search.max_epochs
        if spent or (search.convergence is not None and not unfinished):
            return unfinished
        return unfinished + max(0, search.trials - len(self.searched))

    @property
    def unfinished(self) -> str:
        """Message that trials remain and how to resume them; empty for a finished search."""
        if not self.left:
            return ""
        total = max(self.config.search.trials, len(self.searched))
        resume = next_command("resume", self.folder)
        return f"unfinished search: {self.left} of {total} trials are left: continue it with `{resume}`"


def load_results(folder: str | Path) -> StudyResults:
    """Read trials.parquet of a study. Its epochs are read when they are first asked for.

    Raises:
        DataError: If the folder or a file is missing, or a file is broken or has another schema.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: does not exist: name the folder of a study, such as results/digits")
    trials, footer = _read(folder, TRIALS, set(TRIAL_FIELDS))
    study = footer["study"]
    objectives = study.get("search", {}).get("objectives") or {}
    missing = [metric for metric in objectives if metric not in trials.columns]
    if missing or not objectives:
        problem = f"has no column {', '.join(missing)}" if missing else "names no objectives in its footer"
        raise DataError(f"{folder / TRIALS}: {problem}, so there is no front: run the search again")
    trials = trials.sort_values("trial", ignore_index=True)
    if trials["trial"].duplicated().any():
        raise DataError(f"{folder / TRIALS}: holds several rows for one trial; was it written by `groupdir search`?")
    suggested = _suggested(trials, folder / TRIALS)
    results = StudyResults(
        folder=folder,
        name=str(study.get("name") or folder.resolve().name),
        footer=footer,
        study=study,
        trials=trials,
        configs={int(trial): config for trial, config in footer["configs"].items()},
        suggested=suggested,
        params=_by_short_name(suggested),
        objectives=dict(objectives),
    )
    _ = results.config  # raises here for a footer that cannot be read
    return results


def refuse_unfinished(study: StudyResults) -> None:
    """Refuse to choose from a search with remaining trials, because its best configuration may still come.

    Raises:
        DataError: If trials of the search remain.
    """
    if study.left:
        raise DataError(f"{study.folder}: {study.unfinished}, or choose among the finished trials with --unfinished")


def short_names(addresses: Sequence[str]) -> dict[str, str]:
    """Return a short name for each address: its last part, or the whole address if two last parts are equal.

    >>> short_names(["method.groups", "optim.name", "encoder.name"])
    {'method.groups': 'groups', 'optim.name': 'optim.name', 'encoder.name': 'encoder.name'}
    """
    last = [address.rsplit(".", 1)[-1] for address in addresses]
    return {address: name if last.count(name) == 1 else address for address, name in zip(addresses, last, strict=True)}


def short_text(value: object) -> str:
    """Return a value as a table shows it: a number in four digits, a mapping by its name or its first entries.

    >>> short_text(0.123456), short_text({"mode": "inverse", "lds": {"size": 5}}), short_text(None)
    ('0.1235', 'mode=inverse, lds=(size=5)', 'none')
    """
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        inner = {key: short_text(item) for key, item in value.items()}
        text = ", ".join(
            f"{key}=({inner[key]})" if isinstance(value[key], Mapping) else f"{key}={inner[key]}" for key in value
        )
        text = str(value["name"]) if set(value) == {"name"} else text
    elif isinstance(value, list):
        text = "[" + ", ".join(map(short_text, value)) + "]"
    else:
        text = str(value)
    return text if len(text) <= 48 else text[:47] + "…"


def _read(folder: Path, name: str, columns: set[str]) -> tuple[pd.DataFrame, dict[str, Any]]:
    path = folder / name
    if not path.is_file():
        raise DataError(
            f"{folder}: there is no {name}, which a search writes when it ends. The search is still running or was "
            f"killed; finish it with `{next_command('resume', folder)}`"
        )
    table, footer = read_parquet(path)
    broken = [key for key in ("study", "configs") if not isinstance(footer.get(key), dict)]
    missing = sorted(columns - set(table.column_names))
    if broken or missing:
        raise DataError(f"{path}: lacks {', '.join([*missing, *broken])}; was it written by `groupdir search`?")
    return data_frame(table), footer


def _suggested(trials: pd.DataFrame, path: Path) -> dict[int, dict[str, Any]]:
    """Return the decoded parameters of each trial by full name, without inactive ones."""
    suggested: dict[int, dict[str, Any]] = {int(trial): {} for trial in trials["trial"]}
    for column in (name for name in trials.columns if name.startswith(PARAM)):
        present = trials[column].notna()
        texts, of_column = trials.loc[present, column].tolist(), trials.loc[present, "trial"].astype(int).tolist()
        try:
            values = json.loads(f"[{','.join(texts)}]")  # much faster than one text at a time
        except (TypeError, json.JSONDecodeError):
            values = []
        if len(values) != len(texts):
            places = [f"{path}: trial {number}: {column}" for number in of_column]
            values = [_decoded(text, place) for text, place in zip(texts, places, strict=True)]
        name = column.removeprefix(PARAM)
        for number, value in zip(of_column, values, strict=True):
            suggested[number][name] = value
    return suggested


def _decoded(text: object, where: str) -> Any:
    """Return the value of a cell.

    Raises:
        DataError: If the cell is not JSON.
    """
    try:
        return json.loads(text)  # type: ignore[arg-type]
    except (TypeError, json.JSONDecodeError) as error:
        raise DataError(f"{where} must be JSON, got {text!r}") from error


def _by_short_name(suggested: Mapping[int, Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
    """Return the parameters of each trial by short name.

    The cases of a conditional parameter become one parameter because only one case is active in a trial.
    """
    address = {name: name.partition("|")[0] for params in suggested.values() for name in params}
    short = short_names(list(dict.fromkeys(address.values())))
    return {
        trial: {short[address[name]]: value for name, value in params.items()} for trial, params in suggested.items()
    }
