"""Points of a search space as numbers: for distances, regressions and small steps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from groupdir.config.domains import Choice, Domain, IntRange, LogUniform

Array = npt.NDArray[np.float64]


class Coordinates:
    """One coordinate per parameter, or one per value of a choice without an order; the ends of each are 1 apart.

    Args:
        parameters: Name -> domain, of all parameters.
    """

    def __init__(self, parameters: Mapping[str, Domain]) -> None:
        self._parameters = [(name, domain, _labels(domain)) for name, domain in parameters.items()]

    def of(self, params: Mapping[str, Any]) -> Array:
        """Coordinates `(D,)` of parameters; NaN for parameters that are not active."""
        found: list[float] = []
        for name, domain, labels in self._parameters:
            if name not in params:
                found += [math.nan] * max(1, len(labels))
            elif labels:
                found += [math.sqrt(0.5) * (params[name] == value) for value in labels]
            else:
                found.append(share(domain, params[name]))
        return np.asarray(found)

    def features(self, params: Mapping[str, Any]) -> Array:
        """The same for a regression: -1 where a parameter is not active."""
        return _filled(self.of(params))


def _filled(point: Array) -> Array:
    return np.where(np.isnan(point), -1.0, point)


def _labels(domain: Domain) -> tuple[Any, ...]:
    """The values of a choice that are not all numbers, and so have no order."""
    if not isinstance(domain, Choice):
        return ()
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in domain.values)
    return () if numbers else tuple(domain.values)


def share(domain: Domain, value: Any) -> float:
    """Where a number lies in its domain, 0..1 on the domain's own scale; in a choice, its place among the values.

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
