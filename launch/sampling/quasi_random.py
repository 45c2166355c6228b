"""Sampler that covers the space evenly and does not learn."""

from __future__ import annotations

from collections.abc import Sequence

from groupdir.config.samplers import QMCConfig
from launch.sampling.base import Sampler, Suggestion


class QMC(Sampler):
    """Sampler that takes every trial from the quasi-random design."""

    Config = QMCConfig

    def suggest(self, seed: Sequence[int]) -> Suggestion | None:
        """Return None, which stands for the next point of the design."""
        return None
