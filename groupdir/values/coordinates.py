"""Numeric coordinates of configurations, for distances and regressions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from groupdir.config.domains import Choice, Domain, IntRange, LogUniform

Array = npt.NDArray[np.float64]


class Coordinates:
    """Coordinates of the configurations of a search space.

    A parameter with an order has one coordinate from 0 to 1. A choice without an order has one coordinate per value,
    and any two of its values are 1 apart.

    Args:
        parameters: Domains of all parameters by name.
    """

    def __init__(self, parameters: Mapping[str, Domain]) -> None:
        self._parameters = [(name, domain, _labels(domain)) for name, domain in parameters.items()]

    def of(self, params: Mapping[str, Any]) -> Array:
        """Return the coordinates `(D,)` of a configuration, NaN for inactive parameters."""
        coordinates: list[float] = []
        for name, domain, labels in self._parameters:
            if name not in params:
                coordinates += [math.nan] * max(1, len(labels))
            elif labels:
                coordinates += [math.sqrt(0.5) * (params[name] == value) for value in labels]
            else:
                coordinates.append(share(domain, params[name]))
        return np.asarray(coordinates)

    def features(self, params: Mapping[str, Any]) -> Array:
        """Return the coordinates `(D,)` for a regression, -1 for inactive parameters."""
        return _filled(self.of(params))


def _filled(point: Array) -> Array:
    return np.where(np.isnan(point), -1.0, point)


def _labels(domain: Domain) -> tuple[Any, ...]:
    """Return the values of a choice that has no order because not all values are numbers, else nothing."""
    if not isinstance(domain, Choice):
        return ()
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in domain.values)
    return () if numbers else tuple(domain.values)


def share(domain: Domain, value: Any) -> float:
    """Return the position of a value in its domain, from 0 to 1 on the domain's own scale.

    The position in a choice is the rank of the value.

    >>> share(LogUniform(1, 16), 4.0), share(Choice((2, 5, 50)), 5)
    (0.5, 0.5)
    """
    if isinstance(domain, Choice):
        return sorted(domain.values).index(value) / max(1, len(domain.values) - 1)
    low = float(domain.low)
    high = float(domain.ends[1] if isinstance(domain, IntRange) else domain.high)
    if high <= low:
        return 0.0
    if isinstance(domain, LogUniform) or (isinstance(domain, IntRange) and domain.log):
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return (float(value) - low) / (high - low)
