"""Multi-fidelity model of one metric: predictions for the end of a training from values at all rungs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from launch.sampling.gaussian import Array, Gaussian, Hyper

FEWEST = 4  # smallest number of observations from which a step to the next fidelity is learnt


@dataclass(frozen=True)
class Fidelity:
    """Values that trials reported at one epoch, or at their end.

    Attributes:
        points: Coordinates `(N, D)` of the trials that reached it.
        values: Reported values `(N,)`.
        hyper: Hyperparameters of the values at the lowest fidelity, elsewhere of the change from the fidelity below.
    """

    points: Array
    values: Array
    hyper: Hyper


class Climb:
    """Model of one objective at the highest fidelity, fitted to the values at all fidelities.

    Each fidelity is modelled as a multiple of the one below it plus its own Gaussian process. Hundreds of values at a
    low rung show where the objective is good, and the few values at the end show how much the end differs from the
    rung.

    Source: Kennedy and O'Hagan 2000, "Predicting the output from a complex computer code when fast approximations are
    available", equation 1.

    Differences from the source: fidelities are fitted one after the other. The multiple is fitted by least squares to
    the mean of the fidelity below.

    Args:
        fidelities: Fidelities from the lowest to the highest; those with fewer than four values are skipped.

    Raises:
        ValueError: If no fidelity has enough values.
    """

    def __init__(self, fidelities: Sequence[Fidelity]) -> None:
        used = [fidelity for fidelity in fidelities if len(fidelity.values) >= FEWEST]
        if not used:
            raise ValueError(
                f"a fidelity must have at least {FEWEST} values, got {[len(x.values) for x in fidelities]}"
            )
        self._first = Gaussian(used[0].points, used[0].values, used[0].hyper)
        self._steps: list[tuple[float, float, Gaussian]] = []
        for fidelity in used[1:]:
            below = self.mean(fidelity.points)
            slope = _slope(below, fidelity.values)
            rest = fidelity.values - slope * below
            offset = float(rest.mean())
            self._steps.append((slope, offset, Gaussian(fidelity.points, rest - offset, fidelity.hyper)))

    def mean(self, points: Array) -> Array:
        """Return the expected values `(N,)` at points."""
        expected = self._first.predict(points)
        for slope, offset, process in self._steps:
            expected = slope * expected + offset + process.predict(points)
        return expected

    def joint(self, points: Array) -> tuple[Array, Array]:
        """Return means `(N,)` and covariance `(N, N)` at points, without the noise of a single training."""
        mean, covariance = self._first.joint(points)
        for slope, offset, process in self._steps:
            rest, spread = process.joint(points)
            mean = slope * mean + offset + rest
            covariance = slope**2 * covariance + spread
        return mean, covariance


def _slope(below: Array, values: Array) -> float:
    """Return the least-squares slope, shrunk towards 1 as by one more observation of the usual spread."""
    spread = below - below.mean()
    prior = float(np.square(spread).mean())
    if prior < 1e-20 * max(1.0, float(np.square(below).max())):
        return 1.0  # all values below are equal
    return float((spread @ (values - values.mean()) + prior) / (spread @ spread + prior))
