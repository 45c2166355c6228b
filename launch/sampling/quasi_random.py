"""A sampler that learns nothing and covers the space evenly."""

from __future__ import annotations

from collections.abc import Sequence

from groupdir.config.samplers import QMCConfig
from launch.sampling.base import Sampler, Suggestion


class QMC(Sampler):
    """Sampler that takes every trial from the quasi-random design."""

    Config = QMCConfig

    def suggest(self, seed: Sequence[int]) -> Suggestion | None:
        """Return None: the next point of the design."""
        return None
