"""One metric as a model sees it: a cost on a scale of its own, at every rung and at the end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from sklearn.gaussian_process.kernels import Kernel

from launch.sampling.fidelity import FEWEST, Climb, Fidelity
from launch.sampling.process import Array, Process, draw, fresh_kernel

FITS = (8, 12, 18, 27, 40, 60, 90)  # how many trials length scales are fitted to
MOST = 400  # trials of a fidelity that a process knows: of more, the best half and the latest half
LARGEST = 1e100
CLIP = 2.0  # costs above the median by more than this times its distance to the best are cut: how bad is no matter


class Modelled:
    """Predicts one metric at the highest fidelity from the values of all fidelities.

    Costs that are all positive, as errors are, are seen as logarithms.

    Args:
        points: Coordinates `(N, D)` of all trials.
        costs: For each fidelity, from the lowest, the trials' costs `(N,)` there, NaN where there is none.
        settled: How many of the first trials have a cost at the lowest fidelity that will not change any more, or never
            will have one: length scales are fitted to the first of these costs, 8, 12, 18 and so on up to 90.
        cut: Whether how bad a bad cost is does not matter, as for an objective; it does for a constraint.
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
        """Costs on the scale of the processes; none so large that its square is not finite."""
        costs = np.clip(costs, -LARGEST, LARGEST)
        return np.log(np.maximum(costs, 1e-12)) if self._log else np.asarray(costs)

    def _unwarp(self, found: Array) -> Array:
        """Costs from the scale of the processes."""
        return np.exp(found) if self._log else np.asarray(found)

    def mean(self, points: Array) -> Array:
        """What is most likely at points `(K, D)`, without the luck of one training: costs `(K,)`."""
        return self._unwarp(self._climb.mean(points))

    def samples(self, points: Array, normal: Array) -> Array:
        """Costs `(S, K)` that may be the true ones at points `(K, D)`, drawn together: near points have near costs.

        Args:
            points: Coordinates.
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
    """The kernel that is likeliest for some first trials; the same trials are asked for many times."""
    place, height = (np.frombuffer(raw).reshape(shape) for raw, shape in (points, values))
    return Process(place, height).kernel
