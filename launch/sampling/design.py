"""Quasi-random design of a search space, whose n-th point depends on n and the seed only."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from groupdir.config.domains import Choice, Domain, IntRange, LogUniform
from groupdir.config.parameters import Space
from launch.sampling.base import NOTHING


def design_point(space: Space, seed: int, number: int, fixed: Mapping[str, Any] = NOTHING) -> dict[str, Any]:
    """Return the parameters of one point of a scrambled Sobol sequence over all parameters.

    A point depends on its number, not on reported values. So points that workers request in parallel differ and cover
    the space together. Each case of a conditional parameter has its own dimension, so the points of each case cover
    its range evenly too.

    Source: Owen 1998, "Scrambling Sobol' and Niederreiter-Xing points" (scipy's `qmc.Sobol`).

    Args:
        space: The search space.
        seed: Seed of the scrambling.
        number: Number of the point, from 0.
        fixed: Parameters that already have a value.

    Returns:
        Values of the active parameters by name.
    """
    return next(iter(design(space, seed, 1, number, fixed)))


def design(
    space: Space, seed: int, count: int, first: int = 0, fixed: Mapping[str, Any] = NOTHING
) -> list[dict[str, Any]]:
    """Return `count` points of the sequence of `design_point`, starting with number `first`."""
    names = list(space.parameters)
    if not names:
        return [{}] * count
    from scipy.stats import qmc

    sequence = qmc.Sobol(len(names), scramble=True, rng=np.random.default_rng(seed))
    if first:
        sequence.fast_forward(first)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The balance properties", category=UserWarning)
        shares = sequence.random(count)
    return [_at(space, dict(zip(names, map(float, line), strict=True)), fixed) for line in shares]


def _at(space: Space, shares: Mapping[str, float], fixed: Mapping[str, Any]) -> dict[str, Any]:
    return space.suggest(lambda name, domain: fixed[name] if name in fixed else quantile(domain, shares[name]))


def quantile(domain: Domain, share: float) -> Any:
    """Return the value below which a share of a domain lies, `0 <= share < 1`.

    >>> quantile(Choice(("a", "b")), 0.5), quantile(LogUniform(1, 16), 0.5), quantile(IntRange(2, 8, 2), 0.99)
    ('b', 4.0, 8)
    """
    if isinstance(domain, Choice):
        return domain.values[int(share * len(domain.values))]
    if isinstance(domain, LogUniform):
        return math.exp(math.log(domain.low) + share * (math.log(domain.high) - math.log(domain.low)))
    if isinstance(domain, IntRange):
        low, high = domain.ends
        if domain.log:
            first, last = math.log(low - 0.5), math.log(high + 0.5)
            return min(high, max(low, round(math.exp(first + share * (last - first)))))
        return low + domain.step * int(share * ((high - low) // domain.step + 1))
    if domain.step is None:
        return domain.low + share * (domain.high - domain.low)
    steps = math.floor((domain.high - domain.low) / domain.step + 1e-9) + 1
    return round(domain.low + domain.step * int(share * steps), 12)
