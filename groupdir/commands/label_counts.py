"""How the labels of a data set are spread: over bins, shots, splits and groups. Trains nothing, reads no picture."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from groupdir.bins import even_edges
from groupdir.config.benchmark import is_benchmark
from groupdir.config.domains import IntRange
from groupdir.config.methods import Grouping
from groupdir.config.space import StudyConfig, load_space
from groupdir.config.trial import TrialConfig
from groupdir.config.yamlfile import Document
from groupdir.data.base import Dataset, SplitName, Targets
from groupdir.errors import ConfigError, DataError
from groupdir.files.write_whole import whole_file
from groupdir.labels import LabelGroups
from groupdir.metrics import SHOTS, ShotSplit
from groupdir.registry import resolve

_MOST_GROUPINGS = 50


@dataclass(frozen=True)
class LabelCounts:
    """The labels of a data set, counted.

    Attributes:
        name: Of the data set.
        targets: What the labels mean.
        labels: Labels (N,) of each split.
        shots: Which of them have many, a median number of, or few training samples.
        groupings: Numbers of groups to count, with the rule of each.
        missing: Why there is no test split, or nothing.
    """

    name: str
    targets: Targets
    labels: Mapping[SplitName, np.ndarray]
    shots: ShotSplit
    groupings: Sequence[tuple[int, Grouping]] = ()
    missing: str = ""

    def bins(self) -> tuple[npt.NDArray[np.int64], dict[SplitName, npt.NDArray[np.int64]]]:
        """The label bins (K,) that hold a sample of any split, ascending, and how many of each split they hold."""
        index = {split: self.shots.bins_of(y) for split, y in self.labels.items()}
        known = np.unique(np.concatenate(list(index.values())))
        counts = {
            split: np.bincount(np.searchsorted(known, bins), minlength=len(known)) for split, bins in index.items()
        }
        return known, counts

    def edges(self, bins: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Lower edges of bins, in label units."""
        return even_edges(self.shots.low, self.shots.bin_width, bins)

    def shot_of(self, bins: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
        """Return the shots of bins: indices into `SHOTS`."""
        return self.shots.of_bins(bins)

    def of_group(self, groups: int, rule: Grouping) -> npt.NDArray[np.int64]:
        """Training samples (G,) of each group.

        Raises:
            ValueError: The label range cannot be cut so.
        """
        y = self.labels["train"]
        cut = LabelGroups.by_rule(rule, groups, self.targets.low, self.targets.high, y)
        return np.bincount(cut.assign(y), minlength=groups)


def count_labels(file: Path, overrides: Sequence[str] = ()) -> LabelCounts:
    """Counts the labels of a trial's data set, or of the data set at a space's first corner.

    Args:
        file: The YAML.
        overrides: `address=value` texts, as of `--set`.

    Raises:
        ConfigError: The file has mistakes, or is a benchmark.
        DataError: The data cannot be read. Without a test split there is no error.
    """
    document = Document.read(file)
    if is_benchmark(document):
        raise ConfigError(f"{file}: must be a trial or a search space, got a benchmark: name one of its rows' files")
    if "search" in document.data:
        study = load_space(file, overrides)
        config, groupings = study.space.build(next(iter(study.space.corners()))), _groupings(study)
    else:
        config = TrialConfig.load(file, overrides)
        groupings = _grouping(config)
    dataset: Dataset = resolve("data", config.data.name)(config.data)
    labels: dict[SplitName, np.ndarray] = {"train": dataset.labels("train"), "val": dataset.labels("val")}
    missing = ""
    try:
        labels["test"] = dataset.labels("test")
    except DataError as error:
        missing = str(error)
    return LabelCounts(config.data.name, dataset.targets, labels, dataset.shots, groupings, missing)


def _grouping(config: TrialConfig) -> list[tuple[int, Grouping]]:
    groups = getattr(config.method, "groups", None)
    return [] if groups is None else [(groups, getattr(config.method, "grouping", "equal_width"))]


def _groupings(study: StudyConfig) -> list[tuple[int, Grouping]]:
    """Every number of groups that a space has, those between the ends of a range too unless they are very many."""
    corners = [study.space.build(params) for params in study.space.corners()]
    found = {grouping for config in corners for grouping in _grouping(config)}
    rules = {rule for _, rule in found}
    for name, domain in study.space.parameters.items():
        if name.partition("|")[0] == "method.groups" and isinstance(domain, IntRange):
            between = range(domain.low, domain.high + 1, domain.step)
            found |= {(groups, rule) for groups in between if len(between) <= _MOST_GROUPINGS for rule in rules}
    return sorted(found)


def write_counts(counts: LabelCounts, path: Path) -> None:
    """Writes a CSV file with a row for each label bin: its ends, its shot, and its samples in each split.

    Raises:
        ConfigError: The file exists, or its name does not end in .csv.
        FileWriteError: The disk is full, or the folder is missing or read-only.
    """
    if path.suffix.lower() != ".csv":
        raise ConfigError(f"--out {path}: must end in .csv: `groupdir figures labels` draws a figure of such a file")
    if path.exists():
        raise ConfigError(f"{path}: exists already, and nothing is overwritten: give --out another file")
    bins, samples = counts.bins()
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["low", "high", "shot", *samples])
        ends = zip(counts.edges(bins).tolist(), counts.edges(bins + 1).tolist(), strict=True)
        of_bin = zip(*(column.tolist() for column in samples.values()), strict=True)
        for (low, high), shot, row in zip(ends, counts.shot_of(bins).tolist(), of_bin, strict=True):
            writer.writerow([low, high, SHOTS[shot], *row])
