"""What sharing first stages saves a search: how many different ones its trials have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from groupdir.config.space import StudyConfig
from groupdir.config.trial import TrialConfig
from groupdir.data.base import Dataset
from groupdir.errors import DataError
from groupdir.models.base import Encoder
from groupdir.registry import resolve
from groupdir.training.stages import address
from groupdir.training.trainer import make_dataset
from launch.sampling.design import design_point
from launch.sampling.nested import outer_parameters

WIDTH = 8  # of features that no network makes: what decides a stage does not depend on it


@dataclass(frozen=True)
class Sharing:
    """First stages of a search.

    Attributes:
        trials: How many trials have one.
        different: How many different ones there are.
        alone: Epochs of all of them, if each trial trains its own.
        shared: Epochs if each is trained once.
    """

    trials: int
    different: int
    alone: int
    shared: int

    def __str__(self) -> str:
        """One line."""
        if not self.trials:
            return "first stages: none, so that there is nothing to share"
        saved = f"{self.alone / self.shared:.1f} times less than the {self.alone:,} without sharing"
        return f"first stages: {self.different} different ones of {self.trials} trials: {self.shared:,} epochs, {saved}"


def sharing(configs: Sequence[TrialConfig], dataset: Dataset) -> Sharing:
    """What some trials have in common."""
    longest: dict[str, int] = {}
    trials = alone = 0
    for config in configs:
        method_class = resolve("method", config.method.name)
        method = method_class(config.method, _Unbuilt(), dataset.targets, dataset.labels("train"))
        stages = method.stages(config)
        if len(stages) < 2:
            continue
        where = address(config, method, stages[0])
        longest[where] = max(longest.get(where, 0), stages[0].epochs)
        trials, alone = trials + 1, alone + stages[0].epochs
    return Sharing(trials, len(longest), alone, sum(longest.values()))


def sharing_text(config: StudyConfig) -> str:
    """The line of `--dry-run`, for trials drawn as a quasi-random design; empty where no trial has two stages."""
    corners = [config.space.build(params) for params in config.space.corners()]
    if not any(corner.total_epochs > corner.train.epochs for corner in corners):
        return ""
    if not config.search.share_stages:
        return "first stages: each trial trains its own (share_stages: false)"
    points: list[dict[str, Any]] = []
    for number in range(config.search.trials):
        fixed = outer_parameters(config.search.nested, points)
        points.append(design_point(config.space, config.search.seed, number, fixed))
    try:
        found = sharing([config.space.build(params) for params in points], make_dataset(corners[0]))
    except DataError as error:
        return f"first stages: how many are the same is unknown without the data: {error}"
    return str(found)


class _Unbuilt(Encoder):
    """Stands where a method expects an encoder, at no cost."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.dim = WIDTH
        self.spec: Any = None
