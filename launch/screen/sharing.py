"""What sharing first stages saves a search: how many different ones its trials have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from groupdir.config.space import StudyConfig
from groupdir.config.stage import shareable
from groupdir.config.trial import TrialConfig, digest
from launch.sampling.design import design_point
from launch.sampling.nested import outer_parameters


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


def sharing(configs: Sequence[TrialConfig]) -> Sharing:
    """Return what some trials have in common."""
    longest: dict[str, int] = {}
    trials = alone = 0
    for config in configs:
        first = shareable(config.stages)
        if first is None:
            continue
        key = digest(config.shared_stage_key(first))
        longest[key] = max(longest.get(key, 0), first.epochs)
        trials, alone = trials + 1, alone + first.epochs
    return Sharing(trials, len(longest), alone, sum(longest.values()))


def sharing_text(config: StudyConfig) -> str:
    """Return the line of `--dry-run`, for trials suggested by a quasi-random design; empty where nothing is shared."""
    if not any(shareable(stages) for stages in config.space.corner_stages):
        return ""
    if not config.search.share_stages:
        return "first stages: each trial trains its own (share_stages: false)"
    points: list[dict[str, Any]] = []
    for number in range(config.search.trials):
        fixed = outer_parameters(config.search.nested, points)
        points.append(design_point(config.space, config.search.seed, number, fixed))
    return str(sharing([config.space.build(params) for params in points]))
