"""Model of one metric as a cost, on its own scale, at every rung and at the end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from sklearn.gaussian_process.kernels import Kernel

from launch.sampling.fidelity import FEWEST, Climb, Fidelity
from launch.sampling.process import Array, Process, draw, fresh_kernel

FITS = (8, 12, 18, 27, 40, 60, 90)  # numbers of trials to which length scales are fitted
MOST = 400  # most trials of a fidelity in a process: of more, the best half and the latest half
LARGEST = 1e100
CLIP = (
    2.0  # costs are cut at the median plus this times its distance to the best: the size of a bad cost does not matter
)


class Modelled:
    """Predictor of one metric at the highest fidelity from the values at all fidelities.

    If all costs are positive, as errors are, their logarithms are modelled.

    Args:
        points: Coordinates `(N, D)` of all trials.
        costs: Costs `(N,)` of the trials for each fidelity, from the lowest one; NaN where there is none.
        settled: Number of first trials whose cost at the lowest fidelity is final or will never exist. Length scales
            are fitted to the first 8, 12, 18 and so on up to 90 of these costs.
        cut: Whether to cut bad costs. True for an objective; for a constraint the size of a bad cost matters.
    """

    def __init__(self, points: Array, costs: Sequence[Array], settled: int, cut: bool = True) -> None:
        self._cut = cut
        used = [column for column in costs if np.isfinite(column).sum() >= FEWEST]
        self._log = all(np.nanmin(column) > 0 for column in used)
        fidelities = [self._fidelity(points, self._warp(column)) for column in used]
        here = np.flatnonzero(np.isfinite(used[0][:settled]))
        count = next((count for count in reversed(FITS) if count <= len(here)), 0)
        fitted = self._fidelity(points[here[:count]], self._warp(used[0][here[:count]]))
        kernel = _kernel(*map(_frozen, (fitted.points, fitted.values))) if count else fresh_kernel(points.shape[1])
        self._climb = Climb(fidelities, kernel)

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

    def _fidelity(self, points: Array, costs: Array) -> Fidelity:
        here = np.flatnonzero(np.isfinite(costs))
        if len(here) > MOST:
            best = here[np.argsort(costs[here], kind="stable")[: MOST // 2]]
            here = np.union1d(best, here[-MOST // 2 :])
        values = costs[here]
        if self._cut and len(values):
            middle, low = float(np.median(values)), float(values.min())
            values = np.minimum(values, middle + CLIP * (middle - low)) if middle > low else values
        return Fidelity(points[here], values)


Frozen = tuple[bytes, tuple[int, ...]]


def _frozen(values: Array) -> Frozen:
    return np.ascontiguousarray(values, dtype=np.float64).tobytes(), values.shape


@lru_cache(maxsize=256)
def _kernel(points: Frozen, values: Frozen) -> Kernel:
    """Return the most likely kernel for the first trials. It is cached because the same trials come many times."""
    place, height = (np.frombuffer(raw).reshape(shape) for raw, shape in (points, values))
    return Process(place, height).kernel
