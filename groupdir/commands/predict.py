"""Predictions of a checkpoint for new inputs, and its errors on a split of its data set."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from groupdir.config.trial import TrialConfig
from groupdir.data.base import Dataset, InputSpec, Targets
from groupdir.data.transfer import as_tensor
from groupdir.errors import ConfigError, DataError
from groupdir.files.write_whole import whole_file
from groupdir.methods.base import Method
from groupdir.registry import resolve
from groupdir.training.checkpoint import load_checkpoint
from groupdir.training.evaluate import errors, predict
from groupdir.training.trainer import make_dataset

Row = dict[str, Any]


def evaluate_checkpoint(path: Path, split: str, root: str | None = None) -> dict[str, float]:
    """Return the errors of a checkpoint on a split, with the weights of the epoch that `train.keep` selects.

    Args:
        path: Checkpoint.
        split: "val" or "test".
        root: Folder of the data; None for the folder in the checkpoint.

    Raises:
        ConfigError: If the split is neither val nor test.
        DataError: If the checkpoint or the data cannot be used.
    """
    if split not in ("val", "test"):
        raise ConfigError(f"--split must be val or test, got {split}")
    content = load_checkpoint(path)
    config = _config(content, path)
    if root is not None:
        config = config.replaced({"data.root": str(Path(root).absolute())})
    dataset = make_dataset(config)
    method = _method(content, config)
    data = dataset.split("val" if split == "val" else "test")
    inputs, present = tuple(as_tensor(array) for array in data.inputs), partial(dataset.present, spec=dataset.inputs)
    predictions = predict(method, inputs, 4 * config.train.batch_size, config.train.amp, present)
    return errors(method, predictions, data.y, dataset.shots, f"{split}_")


def predict_file(checkpoint: Path, inputs: Path) -> Iterator[Row]:
    """Yield one row for each input: `input`, `prediction` in label units, and with groups also `group` and `expert`.

    `group` is the predicted group and `expert` the value of its expert. This value is the prediction unless routing
    is soft.

    Raises:
        DataError: If the checkpoint or the inputs cannot be used.
    """
    content = load_checkpoint(checkpoint)
    config = _config(content, checkpoint)
    spec = _spec(content)
    dataset: type[Dataset] = resolve("data", config.data.name)
    arrays, names = dataset.read_inputs(inputs, spec)
    if not len(names):
        raise DataError(f"{inputs}: contains no input")
    method = _method(content, config)
    tensors, present = tuple(as_tensor(array) for array in arrays), partial(dataset.present, spec=spec)
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


def _config(content: dict[str, Any], path: Path) -> TrialConfig:
    return TrialConfig.from_dict(content["config"], str(path))


def _spec(content: dict[str, Any]) -> InputSpec:
    """Return the description of the encoder's inputs. Its word vectors are those of the checkpoint."""
    spec = InputSpec(**content["inputs"])
    if spec.vocabulary is None:
        return spec
    vectors = next(tensor for name, tensor in content["model"].items() if name.endswith("vectors")).numpy()
    return InputSpec(spec.kind, tuple(spec.shape), vectors, tuple(spec.vocabulary))


def _method(content: dict[str, Any], config: TrialConfig) -> Method:
    options = config.encoder.model_copy(update={"weights": None} if hasattr(config.encoder, "weights") else {})
    encoder = resolve("encoder", config.encoder.name)(
        options, _spec(content)
    )  # the checkpoint's weights are loaded below
    targets, train_y = Targets(**content["targets"]), content["train_y"].numpy()
    method: Method = resolve("method", config.method.name)(config.method, encoder, targets, train_y)
    best = content["best"] if config.train.keep == "best" else None
    method.load_state_dict(best["model"] if best is not None else content["model"])
    return method
