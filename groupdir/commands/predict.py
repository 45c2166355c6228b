"""Predictions of a checkpoint for new inputs, and its metrics on a split of its data set."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from groupdir.command_line.next_command import next_command
from groupdir.config.trial import TrialConfig
from groupdir.data.base import Dataset, InputSpec
from groupdir.data.transfer import as_tensor
from groupdir.errors import ConfigError, DataError
from groupdir.files.ledger import Ledger, Reading
from groupdir.files.predictions import fingerprint
from groupdir.files.study_files import SEED_PREFIX
from groupdir.files.write_whole import whole_file
from groupdir.registry import resolve
from groupdir.training.evaluate import errors, predict
from groupdir.training.trainer import make_dataset
from groupdir.training.trial_checkpoint import TrialCheckpoint, usable

Row = dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """Result of a checkpoint on a split.

    Attributes:
        metrics: Values of the metrics, in label units.
        readers: Line about the configurations that have read the test split, or None for another split.
        warning: Warning about the ledger of the test split, or None.
    """

    metrics: dict[str, float]
    readers: str | None = None
    warning: str | None = None


def evaluate_checkpoint(path: Path, split: str, root: str | None = None, allow_code: bool = False) -> Evaluation:
    """Return the metrics of a checkpoint on a split, with the weights of the epoch that `train.keep` selects.

    The ledger of the data set records that the test split was read.

    Args:
        path: Checkpoint.
        split: "val" or "test".
        root: Folder of the data; None for the folder in the checkpoint.
        allow_code: Whether classes that the checkpoint names may be imported from the current folder.

    Raises:
        ConfigError: If the split is neither val nor test.
        DataError: If the checkpoint, the data or the ledger cannot be used.
    """
    if split not in ("val", "test"):
        raise ConfigError(f"--split must be val or test, got {split}")
    checkpoint = TrialCheckpoint.read(path)
    trained = checkpoint.config(allow_code)
    config = trained if root is None else trained.replaced({"data.root": str(Path(root).absolute())})
    dataset = make_dataset(_read_as_trained(config, checkpoint.spec))
    method = checkpoint.method(config)
    data = dataset.split("val" if split == "val" else "test")
    readers, warning = (None, None) if split == "val" else _record(trained, config, path, data.y)
    inputs, present = tuple(as_tensor(array) for array in data.inputs), partial(dataset.present, spec=dataset.inputs)
    with usable(path):
        predictions = predict(method, inputs, 4 * config.train.batch_size, config.train.amp, present)
    return Evaluation(errors(method, predictions, data.y, dataset.shots, f"{split}_"), readers, warning)


def _record(trained: TrialConfig, config: TrialConfig, path: Path, y: np.ndarray) -> tuple[str, str | None]:
    """Record that a checkpoint is measured on the test split.

    Args:
        trained: Configuration of the checkpoint.
        config: The same with the present folder of the data.
        path: Checkpoint.
        y: Labels of the test split.

    Returns:
        The line about all configurations that have read the split, and a warning or None.
    """
    above = path.absolute().parent
    run = above.parent.parent if above.name.startswith(SEED_PREFIX) else above
    ledger = Ledger.of(getattr(config.data, "root", None), run)
    data, samples, configuration = config.data.name, fingerprint(y, config.data.drawn_with), trained.digest_without_seed
    command = next_command("evaluate", path)
    warning = ledger.record(Reading.now(data, samples, configuration, trained.seed, trained.method.name, command))
    return ledger.line(data, samples, {configuration}), warning


def predict_file(path: Path, inputs: Path, allow_code: bool = False) -> Iterator[Row]:
    """Yield one row for each input: `input`, `prediction` in label units, and with groups also `group` and `expert`.

    `group` is the predicted group and `expert` the value of its expert. This value is the prediction unless routing
    is soft.

    Args:
        path: Checkpoint.
        inputs: File or folder of inputs for the data set.
        allow_code: Whether classes that the checkpoint names may be imported from the current folder.

    Raises:
        DataError: If the checkpoint or the inputs cannot be used.
    """
    checkpoint = TrialCheckpoint.read(path)
    config, spec = checkpoint.config(allow_code), checkpoint.spec
    method = checkpoint.method(config)
    dataset: type[Dataset] = resolve("data", config.data.name)
    with usable(path):
        arrays, names = dataset.read_inputs(inputs, spec)
    if not len(names):
        raise DataError(f"{inputs}: contains no input")
    tensors, present = tuple(as_tensor(array) for array in arrays), partial(dataset.present, spec=spec)
    with usable(path):
        predictions = predict(method, tensors, 4 * config.train.batch_size, config.train.amp, present)
    for index, name in enumerate(names):
        row: Row = {"input": name, "prediction": float(predictions.value[index])}
        if predictions.group is not None:
            row["group"] = int(predictions.group[index])
            if predictions.experts is not None:
                row["expert"] = float(predictions.experts[index, predictions.group[index]])
        yield row


def write_csv(rows: Iterator[Row], out: Path | None) -> None:
    """Write rows as CSV to a new file, or to the terminal.

    Raises:
        ConfigError: If the file exists.
        FileWriteError: If the disk is full, or the folder is missing or read-only.
    """
    if out is None:
        _write(rows, sys.stdout)
        return
    if out.exists():
        raise ConfigError(f"{out}: the file exists already: choose another file with --out")
    with whole_file(out) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        _write(rows, file)


def _write(rows: Iterator[Row], file: Any) -> None:
    first = next(rows)
    writer = csv.DictWriter(file, list(first), lineterminator="\n")
    writer.writeheader()
    writer.writerow(first)
    writer.writerows(rows)


def _read_as_trained(config: TrialConfig, spec: InputSpec) -> TrialConfig:
    """Return a configuration whose data set turns and fills pictures as the encoder's inputs were in training.

    A checkpoint that was written before `data.orient` and `data.background` existed was trained without both.
    """
    options = {"orient": spec.orient, "background": spec.background}
    changes = {f"data.{name}": value for name, value in options.items() if hasattr(config.data, name)}
    return config.replaced(changes) if changes else config
