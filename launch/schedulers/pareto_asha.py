"""Successive halving by the front of several objectives, for a study."""

from __future__ import annotations

from typing import Self

from groupdir.config.schedulers import ParetoHalvingConfig
from groupdir.config.search import SearchConfig
from launch.schedulers.ladder import Ladder


class ParetoHalving(Ladder):
    """Scheduler that lets the best 1/eta of each rung continue, ranked by fronts of all objectives.

    `launch.on_ray.pareto_asha.ParetoASHA` is the same scheduler for any Tuner of Ray. See there for the sources and the
    differences from them.
    """

    Config = ParetoHalvingConfig

    @classmethod
    def from_config(cls, search: SearchConfig) -> Self:
        """Return a ladder with the study's objectives and the options of its scheduler."""
        options = search.scheduler.model_dump(exclude={"name", "metric"})
        return cls(search.objectives, **options)
