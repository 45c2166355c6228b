"""From a checkpoint to numbers: predictions for new inputs, and errors on a split."""

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
    """Errors of a checkpoint's weights (of the epoch that `train.keep` means) on "val" or "test".

    Raises:
        ConfigError: Another split.
        DataError: The checkpoint or the data cannot be used.
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
    found = predict(method, inputs, 4 * config.train.batch_size, config.train.amp, present)
    return errors(method, found, data.y, dataset.shots, f"{split}_")


def predict_file(checkpoint: Path, inputs: Path) -> Iterator[Row]:
    """One row for each input: `input`, `prediction` in label units, and for methods with groups `group` and `expert`.

    `group` is the predicted one and `expert` the value of its expert, which is the prediction unless experts are mixed.

    Raises:
        DataError: The checkpoint or the inputs cannot be used.
    """
    content = load_checkpoint(checkpoint)
    config = _config(content, checkpoint)
    spec = _spec(content)
    dataset: type[Dataset] = resolve("data", config.data.name)
    arrays, names = dataset.read_inputs(inputs, spec)
    if not len(names):
        raise DataError(f"{inputs}: holds no input")
    method = _method(content, config)
    tensors, present = tuple(as_tensor(array) for array in arrays), partial(dataset.present, spec=spec)
    found = predict(method, tensors, 4 * config.train.batch_size, config.train.amp, present)
    for index, name in enumerate(names):
        row: Row = {"input": name, "prediction": float(found.value[index])}
        if found.group is not None:
            row["group"] = int(found.group[index])
            if found.experts is not None:
                row["expert"] = float(found.experts[index, found.group[index]])
        yield row


def write_csv(rows: Iterator[Row], out: Path | None) -> None:
    """Writes rows as CSV into a new file, or to the terminal.

    Raises:
        ConfigError: The file exists.
        FileWriteError: The disk is full, or the folder is missing or read-only.
    """
    if out is None:
        _write(rows, sys.stdout)
        return
    if out.exists():
        raise ConfigError(f"{out}: exists already, and nothing is overwritten: give --out another file")
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
    """What the encoder reads; word vectors are zeros until the checkpoint's own are loaded."""
    spec = InputSpec(**content["inputs"])
    if spec.vocabulary is None:
        return spec
    vectors = next(tensor for name, tensor in content["model"].items() if name.endswith("vectors")).numpy()
    return InputSpec(spec.kind, tuple(spec.shape), vectors, tuple(spec.vocabulary))


def _method(content: dict[str, Any], config: TrialConfig) -> Method:
    begun = config.encoder.model_copy(update={"weights": None} if hasattr(config.encoder, "weights") else {})
    encoder = resolve("encoder", config.encoder.name)(begun, _spec(content))  # the checkpoint's own are loaded below
    targets, train_y = Targets(**content["targets"]), content["train_y"].numpy()
    found: Method = resolve("method", config.method.name)(config.method, encoder, targets, train_y)
    best = content["best"] if config.train.keep == "best" else None
    found.load_state_dict(best["model"] if best is not None else content["model"])
    return found
