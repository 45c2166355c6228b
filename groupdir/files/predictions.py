"""Predictions of one training for every sample of a split, in a Parquet file.

The targets keep the type of the data set's labels, float32 or float64. A label on the edge of a bin has the right shot
only in its own type, so the metrics of the file are exactly those of the training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from groupdir.errors import DataError
from groupdir.files.parquet import arrow_type, read_parquet, write_table
from groupdir.files.study_files import PREDICTION_COLUMNS
from groupdir.shots import ShotSplit

if TYPE_CHECKING:
    import pyarrow as pa

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class SavedPredictions:
    """Predictions of one training for the N samples of a split.

    Attributes:
        config: Content of the configuration that was trained, from which `TrialConfig.from_dict` makes it again.
        configuration: Digest of the configuration without its seed; see `TrialConfig.digest_without_seed`.
        samples: Fingerprint of the split's samples; see `fingerprint`.
        shots: Shots of the data set.
        split: Name of the split.
        seed: Seed of the training.
        target: (N,) float32 or float64, in label units, in the order of the split.
        prediction: (N,) float64, in label units.
        group: (N,) int64, the predicted groups, or None for a method without groups.
        true_group: (N,) int64, the groups of the targets, or None for a method without groups.
    """

    config: dict[str, Any]
    configuration: str
    samples: str
    shots: ShotSplit
    split: str
    seed: int
    target: Array
    prediction: Array
    group: Array | None = None
    true_group: Array | None = None

    @property
    def data(self) -> str:
        """Name of the data set."""
        return str(self.config["data"]["name"])

    def write(self, path: str | Path) -> None:
        """Write the predictions to a file. A reader sees the old file or the new one, never a part.

        Raises:
            FileWriteError: If the disk is full, or the folder is missing or read-only.
        """
        import pyarrow as pa

        count = len(self.target)
        columns = {
            "sample": np.arange(count),
            "split": [self.split] * count,
            "seed": np.full(count, self.seed),
            "target": self.target,
            "prediction": self.prediction,
            "group": [None] * count if self.group is None else self.group,
            "true_group": [None] * count if self.true_group is None else self.true_group,
        }
        target = pa.float64() if self.target.dtype == np.float64 else pa.float32()
        types = {name: arrow_type(name) for name in PREDICTION_COLUMNS} | {"target": target}
        names = ("config", "configuration", "samples")
        footer = {name: getattr(self, name) for name in names} | {"shots": self.shots.to_dict()}
        write_table(path, pa.table(columns, schema=pa.schema(types.items())), footer)


def fingerprint(target: Array, drawn_with: str) -> str:
    """Return 16 hexadecimal digits that identify the samples of a split.

    Args:
        target: Labels of the split, in order. Inputs are not read, because other encodings of a sample do not matter.
        drawn_with: Options that decide the inputs of drawn samples; see `DatasetConfig.drawn_with`.

    >>> fingerprint(np.array([1.0, 2.0]), "seed=0") == fingerprint(np.array([1.0, 2.0]), "seed=1")
    False
    """
    return hashlib.sha256(np.asarray(target, dtype="<f4").tobytes() + drawn_with.encode()).hexdigest()[:16]


def read_predictions(path: str | Path) -> SavedPredictions:
    """Return the predictions in a file.

    Raises:
        DataError: If the file is missing, broken, or does not hold the predictions of one training.
    """
    table, footer = read_parquet(path)
    if table.column_names != list(PREDICTION_COLUMNS):
        columns = ", ".join(PREDICTION_COLUMNS)
        raise DataError(f"{path}: must have the columns {columns}, got {', '.join(table.column_names)}")
    sample, splits, seeds = (table[name].to_numpy() for name in ("sample", "split", "seed"))
    if not len(sample) or len({*splits}) != 1 or len({*seeds}) != 1 or (sample != np.arange(len(sample))).any():
        raise DataError(f"{path}: must have one row for each sample of one split and one seed, in order")
    try:
        return SavedPredictions(
            config=footer["config"],
            configuration=footer["configuration"],
            samples=footer["samples"],
            shots=ShotSplit.from_dict(footer["shots"]),
            split=str(splits[0]),
            seed=int(seeds[0]),
            target=table["target"].to_numpy(),
            prediction=table["prediction"].to_numpy(),
            group=_groups(table, "group"),
            true_group=_groups(table, "true_group"),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: its footer is broken: {type(error).__name__}: {error}") from error


def check_same_samples(labels: Sequence[str], predictions: Sequence[SavedPredictions]) -> None:
    """Refuse predictions that cannot be compared because they are not for the same samples.

    Args:
        labels: Names of the predictions in the message.
        predictions: Predictions, each of one training.

    Raises:
        DataError: If data sets are mixed, or the samples, their targets or their shots differ.
    """
    first = predictions[0]
    for label, other in zip(labels, predictions, strict=True):
        if other.data != first.data:
            what = f"{labels[0]} has the data set {first.data}, but {label} has {other.data}"
        elif other.split != first.split:
            what = f"{labels[0]} has the split {first.split}, but {label} has {other.split}"
        elif other.samples != first.samples:
            sizes = f"{len(first.target)} and {len(other.target)} of them"
            what = f"{labels[0]} and {label} have different samples of {first.data} ({sizes})"
        elif other.shots != first.shots:
            what = f"{labels[0]} and {label} have different shots of {first.data}"
        else:
            continue
        raise DataError(f"predictions cannot be compared: {what}: give all the same section data")


def _groups(table: pa.Table, name: str) -> Array | None:
    return None if table[name].null_count else table[name].to_numpy()
