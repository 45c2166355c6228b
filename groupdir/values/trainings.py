"""Finished trainings of a study, grouped by configuration."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from groupdir.files.study_files import metrics_of
from groupdir.study.state import StudyState, TrialState


@dataclass(frozen=True)
class Training:
    """Finished training of a configuration with one seed.

    Attributes:
        trial: Number of the trial.
        configuration: `configuration_digest` of the trial.
        seed: Training seed.
        searched: True for a trial of the search, False for a later training.
        params: Parameters of the trial by name.
        metrics: Metrics of the trial's selected epoch. A missing one is NaN.
    """

    trial: int
    configuration: str
    seed: int
    searched: bool
    params: Mapping[str, Any]
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Configuration:
    """Configuration of a search with all of its trainings.

    Attributes:
        trial: Number of its first trial, which stands for the configuration.
        params: Parameters of that trial by name.
        trainings: Trainings with different seeds, those of the search first.
    """

    trial: int
    params: Mapping[str, Any]
    trainings: Sequence[Training]

    @property
    def confirmed(self) -> int:
        """Number of trainings after the search: confirmations and unchanged ablations."""
        return sum(not training.searched for training in self.trainings)

    def raw(self, metric: str) -> float:
        """Return the mean of a metric over the trainings that have a finite value, NaN if none has."""
        values = [training.metrics.get(metric, math.nan) for training in self.trainings]
        finite = [value for value in values if math.isfinite(value)]
        return math.fsum(finite) / len(finite) if finite else math.nan


def trainings_of(state: StudyState, *, stopped: bool = False) -> list[Training]:
    """Return the finished trainings of a study.

    Args:
        state: State of the study.
        stopped: Whether to include trials that the scheduler stopped, at their selected epoch.
    """
    kept = ("finished", "stopped") if stopped else ("finished",)
    return [training_of(trial) for trial in state.trials.values() if trial.status in kept and trial.rows]


def training_of(trial: TrialState) -> Training:
    """Return the training of a trial that has an epoch."""
    searched = trial.role == "search"
    metrics = metrics_of(trial.selected or {})
    return Training(trial.number, trial.configuration, trial.seed, searched, trial.params, metrics)


def configurations(trainings: Iterable[Training]) -> list[Configuration]:
    """Return the configurations of a search, by the number of their first trial.

    A changed ablation is no configuration of the search and is skipped. A second training with the same seed is skipped
    too, because it is the same training again.
    """
    groups: dict[str, list[Training]] = {}
    for training in sorted(trainings, key=lambda each: (not each.searched, each.trial)):
        group = groups.setdefault(training.configuration, [])
        if all(training.seed != other.seed for other in group):
            group.append(training)
    searched = [group for group in groups.values() if group[0].searched]
    return [Configuration(group[0].trial, group[0].params, tuple(group)) for group in searched]
