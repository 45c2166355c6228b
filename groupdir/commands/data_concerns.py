"""Concerns about a trial or a study that its labels show. No picture is read and torch is not imported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from groupdir.bins import bin_index
from groupdir.config.concerns import Concern
from groupdir.config.search import SearchConfig
from groupdir.config.trial import TrialConfig
from groupdir.data.base import Dataset
from groupdir.metrics import SHOTS, parse_metric


@dataclass(frozen=True)
class Data:
    """Data of some trials.

    Attributes:
        dataset: The data set.
        train: Labels (N,) of the training split.
        val: Labels (M,) of the validation split.
        trials: Trials that use the data set: the one of a file, or those at the corners of a space.
        search: Options of the search, or None for a single trial.
    """

    dataset: Dataset
    train: npt.NDArray[np.float32]
    val: npt.NDArray[np.float32]
    trials: Sequence[TrialConfig]
    search: SearchConfig | None = None

    @classmethod
    def of(cls, dataset: Dataset, trials: Sequence[TrialConfig], search: SearchConfig | None = None) -> Data:
        """Return the data of a data set.

        Raises:
            DataError: If the labels cannot be read.
        """
        return cls(dataset, dataset.labels("train"), dataset.labels("val"), trials, search)


Check = Callable[[Data], Iterator[Concern]]


def data_concerns(data: Data) -> list[Concern]:
    """Return the concerns that the labels of a data set show."""
    return [concern for check in CHECKS for concern in check(data)]


def _unmeasured(data: Data) -> Iterator[Concern]:
    """Yield metrics for which the validation split has too few samples, such as none of a shot.

    They would be NaN: every trial would be stopped, or would break its constraints.
    """
    if data.search is None:
        return
    codes = data.dataset.shots.of(data.val)
    samples = {shot: int((codes == code).sum()) for code, shot in enumerate(SHOTS)}
    for address, name in data.search.metrics.items():
        _, metric, shot, _ = parse_metric(name)
        count, label = (samples[shot], f"a {shot}-shot label") if shot in samples else (len(codes), "a label")
        if count >= metric.samples:
            continue
        text = f"no validation sample has {label}"
        if count:
            text = f"{metric.title} needs {metric.samples} validation samples with {label}, got {count}"
        yield Concern(address, f"cannot be measured: {text}: add such samples or remove the metric")


def _one_batch(data: Data) -> Iterator[Concern]:
    """Yield batches that are larger than the training split."""
    rows = len(data.train)
    largest = max(config.train.batch_size for config in data.trials)
    if largest > rows and any(config.method.resampling is None for config in data.trials):
        text = f"an epoch is one step, because {largest} is above the {rows} training samples: lower it"
        yield Concern("train.batch_size", text, fatal=False)


def _empty_groups(data: Data) -> Iterator[Concern]:
    """Yield more groups than bins with training labels."""
    targets = data.dataset.targets
    bins = len(np.unique(bin_index(data.train, targets.low, targets.bin_width)))
    groups = max((int(getattr(config.method, "groups", 0) or 0) for config in data.trials), default=0)
    if groups > bins:
        text = f"{groups} groups are more than the {bins} label bins with training samples, so some groups stay empty"
        yield Concern("method.groups", f"{text}: lower it", fatal=False)


CHECKS: tuple[Check, ...] = (_unmeasured, _one_batch, _empty_groups)
"""All checks that need the labels."""
