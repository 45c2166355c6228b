"""What a configuration would reach at the end, from all that was seen of others at every rung."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.gaussian_process.kernels import Kernel

from launch.sampling.process import Array, Process, fresh_kernel

FEWEST = 4  # observations that a step from one fidelity to the next is learnt from


@dataclass(frozen=True)
class Fidelity:
    """What trials reported at one epoch, or at their end.

    Attributes:
        points: Coordinates `(N, D)` of the trials that came there.
        values: What they reported `(N,)`.
    """

    points: Array
    values: Array


class Climb:
    """One objective at the highest fidelity, from the values at all fidelities.

    A fidelity is a multiple of the one below it, plus a Gaussian process of its own. So hundreds of values of a low rung
    say where it is good, and the few of the end say how much the end differs from the rung.

    Source: Kennedy and O'Hagan 2000, "Predicting the output from a complex computer code when fast approximations are
    available", equation 1.

    Differences from the source: fidelities are fitted one after the other, the multiple by least squares on the mean of the
    fidelity below; and all have the length scales of the lowest.

    Args:
        fidelities: From the lowest to the highest; those with fewer than four values are left out.
        kernel: A fitted one for the lowest fidelity.

    Raises:
        ValueError: No fidelity has enough values.
    """

    def __init__(self, fidelities: Sequence[Fidelity], kernel: Kernel) -> None:
        used = [fidelity for fidelity in fidelities if len(fidelity.values) >= FEWEST]
        if not used:
            raise ValueError(
                f"a fidelity must have at least {FEWEST} values, got {[len(x.values) for x in fidelities]}"
            )
        self._first = Process(used[0].points, used[0].values, kernel)
        self._steps: list[tuple[float, float, Process]] = []
        for fidelity in used[1:]:
            below = self.mean(fidelity.points)
            slope = _slope(below, fidelity.values)
            rest = fidelity.values - slope * below
            offset = float(rest.mean())
            self._steps.append((slope, offset, Process(fidelity.points, rest - offset, _smoother(kernel))))

    def mean(self, points: Array) -> Array:
        """What is expected at points: `(N,)`."""
        found = self._first.predict(points)
        for slope, offset, process in self._steps:
            found = slope * found + offset + process.predict(points)
        return found

    def joint(self, points: Array) -> tuple[Array, Array]:
        """Means `(N,)` and covariance `(N, N)` at points, without the noise of one training."""
        mean, covariance = self._first.joint(points)
        for slope, offset, process in self._steps:
            rest, spread = process.joint(points)
            mean = slope * mean + offset + rest
            covariance = slope**2 * covariance + spread
        return mean, covariance


def _slope(below: Array, values: Array) -> float:
    """By least squares, drawn to 1 as by one more observation of the usual spread."""
    spread = below - below.mean()
    prior = float(np.square(spread).mean())
    if prior < 1e-20 * max(1.0, float(np.square(below).max())):
        return 1.0  # all the same below
    return float((spread @ (values - values.mean()) + prior) / (spread @ spread + prior))


def _smoother(kernel: Kernel) -> Kernel:
    """For what is left between two fidelities: half of it explained by the point, half noise, until more is known."""
    scales = np.atleast_1d(kernel.k1.k2.length_scale)  # a fit in one dimension parameters a number
    return fresh_kernel(len(scales)).clone_with_theta(np.log([0.5, *scales, 0.5]))
