"""Record of a benchmark: everything behind its tables, read from its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from groupdir.errors import DataError
from groupdir.files.ledger import Ledger, line_of_splits
from groupdir.files.parquet import read_parquet
from groupdir.files.predictions import SavedPredictions, check_same_samples, read_predictions
from groupdir.files.schema import refuse_old_benchmark
from groupdir.files.sealed import read_sealed_text
from groupdir.files.study_files import (
    BENCHMARK,
    CHOSEN,
    CONFIRMED,
    PREDICTIONS,
    RESULT,
    SEED_PREFIX,
    TRIALS,
    block_folder,
)
from groupdir.files.training_result import read_result


@dataclass(frozen=True)
class MeasuredTraining:
    """Training that was measured on the test set.

    Attributes:
        row: Label of the row.
        block: Number of the block, from 1.
        seed: Seed of the training.
        epoch: Epoch whose weights were measured.
        metrics: Metrics of the test set by their columns, such as `test_mae_all`.
        chosen: Text of the chosen configuration, with the reason for the choice; None in a grid.
        samples: Fingerprint of the test samples, or None if the file of predictions is missing.
        predictions: Predictions for the test set, or None.
    """

    row: str
    block: int
    seed: int
    epoch: int
    metrics: Mapping[str, float]
    chosen: str | None = None
    samples: str | None = None
    predictions: SavedPredictions | None = field(default=None, repr=False)


@dataclass(frozen=True)
class CompleteBlocks:
    """Results of K rows in the B blocks that all of them have.

    Attributes:
        rows: Labels of the rows.
        values: `(B, K)`, a test metric as the mean over the seeds of a block.
    """

    rows: tuple[str, ...]
    values: npt.NDArray[np.float64]


@dataclass(frozen=True)
class BenchmarkRecord:
    """Everything behind the tables of a benchmark.

    Attributes:
        content: Content of the benchmark's file in its folder: name, options and rows.
        readers: Line about the configurations that have read the test split.
        measured: Measured trainings, by row, block and seed.
        trials: Trials of the searches as in TRIALS, each with its `row` and `block`.
    """

    content: Mapping[str, Any]
    readers: str
    measured: tuple[MeasuredTraining, ...]
    trials: tuple[Mapping[str, Any], ...]

    @property
    def replications(self) -> int:
        """Number of blocks in the complete benchmark."""
        return int(self.content["benchmark"].get("replications", 1))

    @property
    def seeds(self) -> int:
        """Number of trainings that are measured for each row in each block."""
        return int(self.content["benchmark"]["seeds"])

    @property
    def draws(self) -> int:
        """Number of different test sets: more than 1 if each block draws or splits the data."""
        return len({training.samples for training in self.measured if training.samples is not None})

    def by_block(self, row: str, metric: str) -> dict[int, list[float]]:
        """Return block -> values of a test metric of a row over the seeds. A block without the metric is left out.

        Args:
            row: Label of the row.
            metric: Metric without its split, such as `mae_all`.
        """
        values: dict[int, list[float]] = {}
        for training in self.measured:
            value = training.metrics.get(f"test_{metric}")
            if training.row == row and value is not None:
                values.setdefault(training.block, []).append(value)
        return values

    def whole_blocks(self, row: str, metric: str) -> dict[int, list[float]]:
        """Return `by_block` for the blocks in which all seeds of the row are measured.

        The mean of fewer seeds has more noise, and a benchmark that was interrupted can still measure the other seeds.
        """
        return {block: values for block, values in self.by_block(row, metric).items() if len(values) >= self.seeds}

    def complete_blocks(self, metric: str, rows: Sequence[str] | None = None) -> CompleteBlocks:
        """Return a test metric in the blocks in which all seeds of all rows are measured.

        Rows without such a block, or with a NaN, are left out.

        Args:
            metric: Metric without its split, such as `mae_all`.
            rows: Labels of the rows; None for all.
        """
        labels = [row["label"] for row in self.content["rows"]] if rows is None else rows
        means = {
            label: {block: float(np.mean(seeds)) for block, seeds in self.whole_blocks(label, metric).items()}
            for label in labels
        }
        means = {label: blocks for label, blocks in means.items() if blocks and np.isfinite([*blocks.values()]).all()}
        common = sorted(set.intersection(*map(set, means.values()))) if means else []
        values = [[blocks[block] for blocks in means.values()] for block in common]
        return CompleteBlocks(tuple(means), np.array(values, dtype=np.float64).reshape(len(common), len(means)))


def record_of_folder(folder: str | Path) -> BenchmarkRecord:
    """Read the record of a benchmark from its folder. Rows that were not measured yet have no trainings.

    Raises:
        DataError: If the folder is not the folder of a benchmark, no row has a result, a file is broken, or rows were
            measured on different data.
    """
    folder = Path(folder)
    content = read_benchmark(folder)
    rows: Sequence[Mapping[str, Any]] = content["rows"]
    replications = int(content["benchmark"].get("replications", 1))
    folders = {block: block_path(folder, block, replications) for block in range(1, replications + 1)}
    measured = [training for row in rows for block, path in folders.items() for training in _measured(path, row, block)]
    if not measured:
        raise DataError(f"{folder}: no row has a test result yet: continue with `groupdir benchmark`")
    trials = [trial for row in rows for block, path in folders.items() for trial in _trials(path, row, block)]
    return BenchmarkRecord(content, _readers(folder, measured), tuple(measured), tuple(trials))


def block_path(folder: Path, block: int, replications: int) -> Path:
    """Return the folder of a block of a benchmark: a subfolder, or the benchmark's own folder without replications.

    >>> block_path(Path("results/small"), 2, 5).as_posix(), block_path(Path("results/small"), 1, 1).as_posix()
    ('results/small/block_2', 'results/small')
    """
    return folder / block_folder(block) if replications > 1 else folder


def read_benchmark(folder: Path) -> dict[str, Any]:
    """Return the content of the file of a benchmark. Its size has no limit, because the program has written it.

    Raises:
        DataError: If the file cannot be read, is damaged or is broken.
    """
    refuse_old_benchmark(folder)
    path = folder / BENCHMARK
    try:
        content = yaml.safe_load(read_sealed_text(path))
        for name in ("name", "benchmark", "rows"):
            content[name]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}; is it a folder of `groupdir benchmark`?") from error
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise DataError(f"{path}: is broken: {error}") from error
    return dict(content)


def _measured(folder: Path, row: Mapping[str, Any], block: int) -> list[MeasuredTraining]:
    """Return the measured trainings of a row in the folder of a block, by seed."""
    chosen = folder / row["folder"] / CHOSEN
    text = read_sealed_text(chosen) if chosen.is_file() else None
    trainings = []
    for path in (folder / CONFIRMED / row["folder"]).glob(f"*/{SEED_PREFIX}*/{RESULT}"):
        result = read_result(path, "`groupdir benchmark`")
        seed = int(path.parent.name.removeprefix(SEED_PREFIX))
        file = path.with_name(PREDICTIONS)
        predictions = read_predictions(file) if file.is_file() else None
        samples = None if predictions is None else predictions.samples
        trainings.append(
            MeasuredTraining(row["label"], block, seed, result.epoch, result.metrics, text, samples, predictions)
        )
    return sorted(trainings, key=lambda training: training.seed)


def _trials(folder: Path, row: Mapping[str, Any], block: int) -> list[dict[str, Any]]:
    """Return the trials of a row's search in the folder of a block, or none before the search has written them."""
    path = folder / row["folder"] / TRIALS
    if not path.is_file():
        return []
    trials = read_parquet(path)[0].to_pylist()
    return [{"row": row["label"], "block": block, **trial} for trial in sorted(trials, key=lambda each: each["trial"])]


def _readers(folder: Path, measured: Sequence[MeasuredTraining]) -> str:
    """Return the line about the configurations that have read the test split.

    Raises:
        DataError: If the rows of a block were measured on different data.
    """
    kept = [(training, training.predictions) for training in measured if training.predictions is not None]
    if not kept:
        return "test split: no predictions are kept, so the ledger of its readers is unknown"
    for block in sorted({training.block for training, _ in kept}):
        first: dict[str, SavedPredictions] = {}
        for training, each in kept:
            if training.block == block:
                first.setdefault(training.row, each)
        check_same_samples(list(first), list(first.values()))
    any_row = kept[0][1]
    ledger = Ledger.of(any_row.config["data"].get("root"), folder / CONFIRMED)
    samples = {each.samples for _, each in kept}
    return line_of_splits(ledger, any_row.data, samples, {each.configuration for _, each in kept})
