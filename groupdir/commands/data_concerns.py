"""Concerns about a trial or a study that its labels show. No picture is read and torch is not imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from groupdir.bins import bin_index
from groupdir.config.concerns import Concern
from groupdir.config.datasets import OwnLabelsConfig
from groupdir.config.search import SearchConfig
from groupdir.config.trial import TrialConfig
from groupdir.data.base import Dataset, SplitName
from groupdir.data.enough import too_few
from groupdir.errors import DataError
from groupdir.registry import resolve


@dataclass(frozen=True)
class Data:
    """Data of some trials.

    Attributes:
        dataset: The data set.
        labels: Labels (N,) of each split. The test split is there for the user's own data only.
        trials: Trials that use the data set: the one of a file, or those at the corners of a space.
        search: Options of the search, or None for a single trial.
    """

    dataset: Dataset
    labels: Mapping[SplitName, np.ndarray]
    trials: Sequence[TrialConfig]
    search: SearchConfig | None = None

    @classmethod
    def of(cls, dataset: Dataset, trials: Sequence[TrialConfig], search: SearchConfig | None = None) -> Data:
        """Return the data of a data set.

        Raises:
            DataError: If the labels cannot be read.
        """
        return cls(dataset, _labels(dataset), trials, search)


Check = Callable[[Data], Iterator[Concern]]


def trial_concerns(config: TrialConfig) -> list[Concern]:
    """Return the concerns about a trial whose data set is the user's own, and none for other data sets.

    Raises:
        DataError: If the data cannot be used.
    """
    if not isinstance(config.data, OwnLabelsConfig):
        return []
    return data_concerns(Data.of(resolve("data", config.data.name)(config.data), [config]))


def data_concerns(data: Data) -> list[Concern]:
    """Return the concerns that the labels of a data set show."""
    return [concern for check in CHECKS for concern in check(data)]


def _labels(dataset: Dataset) -> dict[SplitName, np.ndarray]:
    """Return the labels of train and val, and of test if the data are the user's own and have a test split."""
    labels: dict[SplitName, np.ndarray] = {"train": dataset.labels("train"), "val": dataset.labels("val")}
    if isinstance(dataset.config, OwnLabelsConfig):
        try:
            labels["test"] = dataset.labels("test")
        except DataError:
            return labels  # no test split
    return labels


def _too_few(data: Data) -> Iterator[Concern]:
    """Yield metrics that cannot be measured, and splits and metrics with too few samples to be reliable."""
    metrics = {} if data.search is None else data.search.metrics
    for few in too_few(data.labels, data.dataset.shots, metrics):
        yield Concern(few.address, few.text, few.fatal)


def _warnings(data: Data) -> Iterator[Concern]:
    """Yield the warnings of the data set, such as about columns that are no features."""
    for text in data.dataset.warnings():
        yield Concern("data", text, fatal=False)


def _one_batch(data: Data) -> Iterator[Concern]:
    """Yield batches that are larger than the training split."""
    rows = len(data.labels["train"])
    largest = max(config.train.batch_size for config in data.trials)
    if largest > rows and any(config.method.resampling is None for config in data.trials):
        text = f"an epoch is one step, because {largest} is above the {rows} training samples: lower batch_size"
        yield Concern("train.batch_size", text, fatal=False)


def _empty_groups(data: Data) -> Iterator[Concern]:
    """Yield more groups than bins with training labels."""
    targets = data.dataset.targets
    bins = len(np.unique(bin_index(data.labels["train"], targets.low, targets.bin_width)))
    groups = max((int(getattr(config.method, "groups", 0) or 0) for config in data.trials), default=0)
    if groups > bins:
        text = f"{groups} groups are more than the {bins} label bins with training samples, so some groups stay empty"
        yield Concern("method.groups", f"{text}: lower the number of groups", fatal=False)


CHECKS: tuple[Check, ...] = (_too_few, _warnings, _one_batch, _empty_groups)
"""All checks that need the labels."""
