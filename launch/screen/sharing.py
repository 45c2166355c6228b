"""Epochs that a search saves by training each distinct first stage once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from groupdir.config.space import StudyConfig
from groupdir.config.stage import shareable
from groupdir.config.trial import TrialConfig, digest
from launch.sampling.design import design_point
from launch.sampling.nested import outer_parameters
from launch.study.trial_seeds import TrialSeeds


@dataclass(frozen=True)
class Sharing:
    """First stages of a search.

    Attributes:
        trials: Number of trials with a first stage.
        different: Number of distinct first stages.
        alone: Epochs of first stages if each trial trains its own.
        shared: Epochs of first stages if each distinct one is trained once.
    """

    trials: int
    different: int
    alone: int
    shared: int

    def __str__(self) -> str:
        """Return the saving as one line."""
        if not self.trials:
            return "first stages: none, so there is nothing to share"
        saved = f"{self.alone / self.shared:.1f} times fewer than the {self.alone:,} without sharing"
        return f"first stages: {self.different} distinct for {self.trials} trials: {self.shared:,} epochs, {saved}"


def sharing(configs: Sequence[TrialConfig]) -> Sharing:
    """Return the first stages that some trials share."""
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
    """Return the line of `--dry-run` about first stages, or an empty text if no trial has a stage to share.

    The trials are assumed to come from the quasi-random design.
    """
    if not any(shareable(stages) for stages in config.space.corner_stages):
        return ""
    if not config.search.share_stages:
        return "first stages: each trial trains its own (share_stages: false)"
    points: list[dict[str, Any]] = []
    for number in range(config.search.trials):
        fixed = outer_parameters(config.search.nested, points)
        points.append(design_point(config.space, config.search.seed, number, fixed))
    seeds = TrialSeeds(config.search)
    return str(sharing([seeds.seeded(config.space.build(params), number) for number, params in enumerate(points)]))
