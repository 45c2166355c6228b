"""Counts of the labels of a data set in bins, shots, splits and groups. Nothing is trained and no picture is read."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from groupdir.bins import even_edges
from groupdir.commands.first_config import first_config
from groupdir.config.domains import IntRange
from groupdir.config.methods import Grouping
from groupdir.config.space import StudyConfig
from groupdir.config.trial import TrialConfig
from groupdir.data.base import ColumnSummary, Dataset, SplitName, Targets
from groupdir.data.enough import too_few
from groupdir.errors import ConfigError, DataError
from groupdir.files.write_whole import whole_file
from groupdir.labels import LabelGroups
from groupdir.metrics import SHOTS, ShotSplit
from groupdir.registry import resolve

_MOST_GROUPINGS = 50


@dataclass(frozen=True)
class LabelCounts:
    """Counts of the labels of a data set.

    Attributes:
        name: Name of the data set.
        targets: Meaning of the labels: unit, range and bin width.
        labels: Labels (N,) of each split.
        shots: Shot of each label bin: many, median or few training samples.
        groupings: Groupings to count: the number of groups and the rule that cuts the label range.
        missing: Reason why there is no test split, or an empty string.
        columns: Columns of a table; empty for other data.
        warnings: What a person should know about the data.
    """

    name: str
    targets: Targets
    labels: Mapping[SplitName, np.ndarray]
    shots: ShotSplit
    groupings: Sequence[tuple[int, Grouping]] = ()
    missing: str = ""
    columns: Sequence[ColumnSummary] = ()
    warnings: Sequence[str] = ()

    def bins(self) -> tuple[npt.NDArray[np.int64], dict[SplitName, npt.NDArray[np.int64]]]:
        """Return the non-empty label bins (K,) in ascending order, and the samples (K,) of each split in them."""
        index = {split: self.shots.bins_of(y) for split, y in self.labels.items()}
        known = np.unique(np.concatenate(list(index.values())))
        counts = {
            split: np.bincount(np.searchsorted(known, bins), minlength=len(known)) for split, bins in index.items()
        }
        return known, counts

    def edges(self, bins: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return the lower edges of bins, in label units."""
        return even_edges(self.shots.low, self.shots.bin_width, bins)

    def shot_of(self, bins: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
        """Return the shot of each bin, as an index into `SHOTS`."""
        return self.shots.of_bins(bins)

    def of_group(self, groups: int, rule: Grouping) -> npt.NDArray[np.int64]:
        """Return the number of training samples (G,) of each group.

        Raises:
            ValueError: If the label range cannot be cut into these groups.
        """
        y = self.labels["train"]
        cut = LabelGroups.by_rule(rule, groups, self.targets.low, self.targets.high, y)
        return np.bincount(cut.assign(y), minlength=groups)


def count_labels(file: Path, overrides: Sequence[str] = ()) -> LabelCounts:
    """Count the labels of the data set of a trial, or of the first corner of a search space.

    Args:
        file: YAML file.
        overrides: Strings `address=value`, as in `--set`.

    Raises:
        ConfigError: If the file has mistakes, or is a benchmark.
        DataError: If the data cannot be read. A missing test split is not an error.
    """
    config, study = first_config(file, overrides)
    groupings = _grouping(config) if study is None else _groupings(study)
    dataset: Dataset = resolve("data", config.data.name)(config.data)
    labels: dict[SplitName, np.ndarray] = {"train": dataset.labels("train"), "val": dataset.labels("val")}
    missing = ""
    try:
        labels["test"] = dataset.labels("test")
    except DataError as error:
        missing = str(error)
    summaries = dataset.column_summaries()
    metrics = {} if study is None else study.search.metrics  # the tables show why one cannot be measured
    few = [f"{finding.address}: {finding.text}" for finding in too_few(labels, dataset.shots, metrics)]
    return LabelCounts(
        config.data.name,
        dataset.targets,
        labels,
        dataset.shots,
        groupings,
        missing,
        summaries,
        [*dataset.warnings(), *few],
    )


def _grouping(config: TrialConfig) -> list[tuple[int, Grouping]]:
    groups = getattr(config.method, "groups", None)
    return [] if groups is None else [(groups, getattr(config.method, "grouping", "equal_width"))]


def _groupings(study: StudyConfig) -> list[tuple[int, Grouping]]:
    """Return all groupings of a search space.

    Numbers between the ends of a range are included if the range has at most `_MOST_GROUPINGS` numbers.
    """
    corners = [study.space.build(params) for params in study.space.corners()]
    groupings = {grouping for config in corners for grouping in _grouping(config)}
    rules = {rule for _, rule in groupings}
    for name, domain in study.space.parameters.items():
        if name.partition("|")[0] == "method.groups" and isinstance(domain, IntRange):
            between = range(domain.low, domain.high + 1, domain.step)
            groupings |= {(groups, rule) for groups in between if len(between) <= _MOST_GROUPINGS for rule in rules}
    return sorted(groupings)


def write_counts(counts: LabelCounts, path: Path) -> None:
    """Write a CSV file with one row for each label bin: its ends, its shot, and its samples in each split.

    Raises:
        ConfigError: If the file exists, or its name does not end in .csv.
        FileWriteError: If the disk is full, or the folder is missing or read-only.
    """
    if path.suffix.lower() != ".csv":
        raise ConfigError(f"--out {path}: must end in .csv: `groupdir figures labels` draws a figure from the CSV file")
    if path.exists():
        raise ConfigError(f"{path}: the file exists already: choose another file with --out")
    bins, samples = counts.bins()
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["low", "high", "shot", *samples])
        ends = zip(counts.edges(bins).tolist(), counts.edges(bins + 1).tolist(), strict=True)
        of_bin = zip(*(column.tolist() for column in samples.values()), strict=True)
        for (low, high), shot, row in zip(ends, counts.shot_of(bins).tolist(), of_bin, strict=True):
            writer.writerow([low, high, SHOTS[shot], *row])
