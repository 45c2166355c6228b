"""Inputs of `groupdir compare`: their labels, their files, and the rows of each file, checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.frame import data_frame
from groupdir.errors import DataError
from groupdir.files.parquet import read_parquet
from groupdir.files.study_files import PREDICTION_COLUMNS, PREDICTIONS, RESULT, SEED_PREFIX
from groupdir.shots import ShotSplit

NEEDED = [name for name in PREDICTION_COLUMNS if "group" not in name]
"""Columns that a comparison reads."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Stated:
    """Content of a footer. A file of another program states nothing.

    Attributes:
        data: Name of the data set.
        root: Folder of the data set's files, or None for a built-in data set.
        samples: Fingerprint of the samples; see `groupdir.files.predictions`.
        configuration: Digest of the configuration without its seed.
        shots: Shots of the labels.
    """

    data: str = ""
    root: str | None = None
    samples: str = ""
    configuration: str = ""
    shots: ShotSplit | None = None


@dataclass(frozen=True)
class Measured:
    """Predictions of one training for a split.

    Attributes:
        label: Name of the configuration.
        file: File that holds the predictions.
        stated: Content of the file's footer.
        seed: Seed of the training.
        sample: Rows in the split `(N,)`, ascending.
        target: True labels `(N,)`, in the type of the file, which decides the bin of a label.
        prediction: Predictions `(N,)` float64.
    """

    label: str
    file: Path
    stated: Stated
    seed: int
    sample: Array
    target: Array
    prediction: npt.NDArray[np.float64]


def read_inputs(inputs: Sequence[str], split: str) -> list[Measured]:
    """Return the predictions of every input for a split.

    Args:
        inputs: Folders of `groupdir train` or files of predictions, each as PATH or LABEL=PATH. The same label may
            stand several times, for more seeds or for another data set.
        split: Split of the data set, such as "test".

    Raises:
        DataError: If an input has no predictions, or its predictions are broken.
    """
    return [
        measured
        for label, path in map(_labelled, inputs)
        for name, file in _files(label, path, alone=len(inputs) == 1)
        for measured in _read(name, file, split)
    ]


def _labelled(text: str) -> tuple[str | None, Path]:
    label, equals, path = text.partition("=")
    if not equals or "/" in label or Path(text).exists():
        return None, Path(text)
    if not label or not path:
        raise DataError(f"{text}: must be PATH or LABEL=PATH, such as plain=results/digits/plain")
    return label, Path(path)


def _files(label: str | None, path: Path, *, alone: bool) -> Iterator[tuple[str, Path]]:
    """Yield label and file of each file of predictions. A folder of several configurations has a label for each.

    Args:
        label: Label of the input, or None for the name of its folder.
        path: Folder or file of the input.
        alone: True for the only input, whose name need not stand in front of the names of its configurations.
    """
    if path.is_file():
        yield label or (path.stem if path.name != PREDICTIONS else _configuration(path).name), path
        return
    files = sorted(path.rglob(PREDICTIONS)) if path.is_dir() else []
    if not files:
        raise DataError(_no_predictions(path))
    folders = {file: _configuration(file) for file in files}
    base = label or path.resolve().name
    several = len(set(folders.values())) > 1
    for file, folder in folders.items():
        inner = folder.relative_to(path).as_posix() if several and folder != path else ""
        yield inner if inner and alone and label is None else "/".join(filter(None, (base, inner))), file


def _configuration(file: Path) -> Path:
    """Return the folder of a configuration from one of its files, which may lie in the folder of a seed."""
    return file.parent.parent if file.parent.name.startswith(SEED_PREFIX) else file.parent


def run_folder(file: Path) -> Path:
    """Return the folder of `groupdir train` from a file of predictions in it."""
    configuration = _configuration(file.absolute())
    return configuration.parent if configuration != file.absolute().parent else configuration


def _no_predictions(path: Path) -> str:
    if not path.exists():
        return f"{path}: does not exist: give a folder of `groupdir train` or a file of predictions"
    measured = len(list(path.rglob(RESULT))) if path.is_dir() else 0
    why = f", but {measured} {RESULT}; an older groupdir wrote it" if measured else ""
    return f"{path}: holds no {PREDICTIONS}{why}: measure it with `groupdir train`, which keeps the predictions"


def _read(label: str, file: Path, split: str) -> Iterator[Measured]:
    """Yield the predictions of each seed of a file."""
    table, footer = read_parquet(file, foreign=True)
    missing = [name for name in NEEDED if name not in table.column_names]
    if missing:
        raise DataError(
            f"{file}: has no column {', '.join(missing)} (columns: {', '.join(table.column_names)}): "
            f"predictions must have {', '.join(NEEDED)}"
        )
    rows = data_frame(table.select(NEEDED))
    for name, column in rows.drop(columns="split").items():
        wanted, kinds = ("integers", "iu") if PREDICTION_COLUMNS[str(name)] is int else ("numbers", "iuf")
        if column.dtype.kind not in kinds:
            raise DataError(
                f"{file}: column {name} must hold {wanted} without gaps, got {table.schema.field(name).type}"
            )
    if rows.empty:
        raise DataError(f"{file}: holds no row: measure the configuration again with `groupdir train`")
    splits = sorted(map(str, rows["split"].unique()))
    rows = rows[rows["split"] == split]
    if rows.empty:
        raise DataError(f"{file}: holds no prediction of the split {split}, but of {', '.join(splits)}: use --split")
    stated = _stated(file, footer)
    for seed in sorted(int(seed) for seed in rows["seed"].unique()):
        part = rows[rows["seed"] == seed]
        _check(file, seed, part)
        ordered = part.sort_values("sample")
        yield Measured(
            label=label,
            file=file,
            stated=stated,
            seed=seed,
            sample=ordered["sample"].to_numpy(),
            target=ordered["target"].to_numpy(),
            prediction=ordered["prediction"].to_numpy(dtype=np.float64),
        )


def _stated(file: Path, footer: dict[str, Any]) -> Stated:
    """Return what a footer states; nothing for a file of another program."""
    if not footer:
        return Stated()
    try:
        data = footer["config"]["data"]
        return Stated(
            data=str(data["name"]),
            root=data.get("root"),
            samples=str(footer["samples"]),
            configuration=str(footer["configuration"]),
            shots=ShotSplit.from_dict(footer["shots"]),
        )
    except (AttributeError, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{file}: its footer is broken: {type(error).__name__}: {error}") from error


def _check(file: Path, seed: int, rows: pd.DataFrame) -> None:
    """Refuse predictions of one seed that are not finite or have a sample twice."""
    for name in ("prediction", "target"):
        bad = rows[~np.isfinite(rows[name].to_numpy(dtype=np.float64))]
        if len(bad):
            raise DataError(
                f"{file}: column {name} must be finite, got {len(bad)} NaN or infinite values of {len(rows)} for seed "
                f"{seed}, the first for sample {bad['sample'].iloc[0]}: leave this training out or train it again"
            )
    twice = [sample for sample, count in Counter(rows["sample"].tolist()).items() if count > 1]
    if twice:
        raise DataError(
            f"{file}: each sample must have one row per seed, got several rows for {len(twice)} samples of seed "
            f"{seed}, such as sample {twice[0]}: write the predictions of each training once"
        )
