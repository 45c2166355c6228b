"""Model of one metric as a cost, on its own scale, at every rung and at the end."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from launch.sampling.fidelity import FEWEST, Climb, Fidelity
from launch.sampling.gaussian import Array, Hyper, draw, fitted

FITS = (8, 12, 18, 27, 40, 60, 90)  # numbers of trials to which hyperparameters are fitted
MOST = 400  # most trials of a fidelity in a process: of more, the best half and the latest half
LARGEST = 1e100
CLIP = (
    2.0  # costs are cut at the median plus this times its distance to the best: the size of a bad cost does not matter
)
Indices = npt.NDArray[np.intp]


class Modelled:
    """Predictor of one metric at the highest fidelity from the values at all fidelities.

    If all costs are positive, as errors are, their logarithms are modelled. Hyperparameters are fitted to the first 8,
    12, 18 and so on up to 90 trials, so that most suggestions can use those of an earlier one.

    Args:
        points: Coordinates `(N, D)` of all trials.
        costs: Costs `(N,)` of the trials for each fidelity, from the lowest one; NaN where there is none.
        settled: Number of first trials whose cost at the lowest fidelity is final or will never exist. The lowest
            fidelity is fitted to these costs.
        cut: Whether to cut bad costs. True for an objective; for a constraint the size of a bad cost matters.
    """

    def __init__(self, points: Array, costs: Sequence[Array], settled: int, cut: bool = True) -> None:
        self._cut, self._points = cut, points
        used = [column for column in costs if np.isfinite(column).sum() >= FEWEST]
        self._log = all(np.nanmin(column) > 0 for column in used)
        columns = [self._warp(column) for column in used]
        lowest = self._hyper(
            columns[:1], np.flatnonzero(np.isfinite(columns[0][:settled])), Hyper.usual(points.shape[1])
        )
        step = replace(lowest, signal=0.5, noise=0.5)  # what is usual between two fidelities
        hypers = [lowest]
        for below, here in itertools.pairwise(columns):
            hypers.append(self._hyper([here, below], np.flatnonzero(np.isfinite(here - below)), step))
        self._climb = Climb([self._fidelity(*each) for each in zip(columns, hypers, strict=True)])

    def _warp(self, costs: Array) -> Array:
        """Return costs on the scale of the processes, clipped so that their squares are finite."""
        costs = np.clip(costs, -LARGEST, LARGEST)
        return np.log(np.maximum(costs, 1e-12)) if self._log else np.asarray(costs)

    def _unwarp(self, warped: Array) -> Array:
        """Return costs from the scale of the processes."""
        return np.exp(warped) if self._log else np.asarray(warped)

    def mean(self, points: Array) -> Array:
        """Return the most likely costs `(K,)` at points `(K, D)`, without the noise of a single training."""
        return self._unwarp(self._climb.mean(points))

    def samples(self, points: Array, normal: Array) -> Array:
        """Return `S` joint samples of the true costs `(S, K)` at points `(K, D)`: near points have near costs.

        Args:
            points: Coordinates `(K, D)`.
            normal: Standard normal numbers `(S, K)`.
        """
        return self._unwarp(draw(*self._climb.joint(points), normal))

    def _hyper(self, columns: Sequence[Array], trials: Indices, usual: Hyper) -> Hyper:
        """Return hyperparameters of the first column, or of the change to it from the second column if there is one.

        Args:
            columns: Warped costs `(N,)` of one or two fidelities.
            trials: Indices of the trials that have all these costs.
            usual: Hyperparameters that are usual, returned for fewer than 8 trials.
        """
        count = next((count for count in reversed(FITS) if count <= len(trials)), 0)
        if not count:
            return usual
        first = trials[:count]
        values = [self._without_bad(column[first]) for column in columns]
        change = values[0] - values[1] if len(values) > 1 else values[0]
        return _fitted(_frozen(self._points[first]), _frozen(change), _frozen(usual.theta))

    def _fidelity(self, costs: Array, hyper: Hyper) -> Fidelity:
        here = np.flatnonzero(np.isfinite(costs))
        if len(here) > MOST:
            best = here[np.argsort(costs[here], kind="stable")[: MOST // 2]]
            here = np.union1d(best, here[-MOST // 2 :])
        return Fidelity(self._points[here], self._without_bad(costs[here]), hyper)

    def _without_bad(self, costs: Array) -> Array:
        """Return costs with the bad ones cut."""
        middle, low = float(np.median(costs)), float(costs.min())
        return np.minimum(costs, middle + CLIP * (middle - low)) if self._cut and middle > low else costs


Frozen = tuple[bytes, tuple[int, ...]]


def _frozen(values: Array) -> Frozen:
    return np.ascontiguousarray(values, dtype=np.float64).tobytes(), values.shape


@lru_cache(maxsize=1024)
def _fitted(points: Frozen, values: Frozen, usual: Frozen) -> Hyper:
    """Return fitted hyperparameters. They are cached because the same trials come many times."""
    place, height, theta = (np.frombuffer(raw).reshape(shape) for raw, shape in (points, values, usual))
    return fitted(place, height, Hyper.at(theta))
