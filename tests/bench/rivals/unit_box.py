"""Unit box of a search space, for tools that know continuous parameters only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from groupdir.config.domains import Choice, Domain, IntRange, LogUniform
from groupdir.config.parameters import Space
from launch.sampling.design import quantile

Array = npt.NDArray[np.float64]


class UnitBox:
    """Coordinates from 0 to 1 of a search space without its conditions, in the way of Ax.

    - A range has one coordinate, on a log scale if the domain has one.
    - A parameter with few values and an order, or with two values, has one coordinate, cut into equal parts.
    - A choice of more values without an order has one coordinate per value; the greatest one counts.
    - A parameter of an inactive case keeps its coordinate, and the trial ignores it.

    Args:
        space: The search space.

    Attributes:
        size: Number of coordinates.
    """

    def __init__(self, space: Space) -> None:
        self._space = space
        self._spans: list[tuple[str, Domain, int, int]] = []
        self.size = 0
        for name, domain in space.parameters.items():
            width = len(domain.values) if isinstance(domain, Choice) and not _ordered(domain) else 1
            self._spans.append((name, domain, self.size, self.size + width))
            self.size += width

    def params(self, point: Array) -> dict[str, Any]:
        """Return the active parameters at a point."""
        values: dict[str, Any] = {}
        for name, domain, first, end in self._spans:
            part = point[first:end]
            if isinstance(domain, Choice):
                ordered = sorted(domain.values) if end == first + 1 and _numbers(domain) else list(domain.values)
                values[name] = ordered[_part(part[0], len(ordered)) if len(part) == 1 else int(np.argmax(part))]
            else:
                values[name] = quantile(domain, min(float(part[0]), 1 - 1e-12))
        return self._space.suggest(lambda name, _: values[name])

    def rounded(self, point: Array) -> Array:
        """Return the point in the middle of all points that give the same parameters, inactive ones included."""
        result = point.copy()
        for _, domain, first, end in self._spans:
            if end - first > 1:
                result[first:end] = np.arange(end - first) == np.argmax(point[first:end])
            else:
                result[first] = _middle(domain, float(point[first]))
        return result


def _numbers(domain: Choice) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in domain.values)


def _ordered(domain: Choice) -> bool:
    return len(domain.values) <= 2 or _numbers(domain)


def _part(share: float, count: int) -> int:
    return min(int(share * count), count - 1)


def _middle(domain: Domain, share: float) -> float:
    """Return the middle of the part of a coordinate that has the same value, or the share itself on a continuum."""
    if isinstance(domain, Choice):
        count = len(domain.values)
    elif isinstance(domain, LogUniform):
        return share
    elif isinstance(domain, IntRange) and domain.log:
        first, last = math.log(domain.low - 0.5), math.log(domain.high + 0.5)
        return (math.log(quantile(domain, min(share, 1 - 1e-12))) - first) / (last - first)
    elif domain.step is None:
        return share
    else:
        count = math.floor((domain.high - domain.low) / domain.step + 1e-9) + 1
    return (_part(share, count) + 0.5) / count
