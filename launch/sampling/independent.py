"""Sampler of independent random parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from groupdir.config.parameters import Space
from groupdir.config.samplers import RandomConfig
from launch.sampling.base import NOTHING, Sampler, Suggestion
from launch.sampling.design import quantile


class Random(Sampler):
    """Sampler that draws every parameter independently of the others."""

    Config = RandomConfig

    def suggest(self, seed: Sequence[int]) -> Suggestion:
        """Return independent draws for all parameters that have no value yet."""
        return Suggestion(random_point(self.past.space, seed, self.past.fixed))


def random_point(space: Space, seed: Sequence[int], fixed: Mapping[str, Any] = NOTHING) -> dict[str, Any]:
    """Return independent draws from a seeded generator for all parameters that are not in `fixed`."""
    rng = np.random.default_rng(list(seed))
    return space.suggest(lambda name, domain: fixed[name] if name in fixed else quantile(domain, float(rng.random())))
