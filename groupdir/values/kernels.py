"""Kernels of the posterior: shares of the parameters, of a configuration and of the noise of a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

LENGTH = (10.0, 1.5)
"""Prior of a length scale, in coordinates from 0 to 1: its median, and the standard deviation of its logarithm.

With the median, a parameter has hardly any effect: the trainings must show that it has one.
"""

KEPT = 32  # kernels that a posterior averages over
LOGS = (-2.5, 6.0)  # bounds of the logarithm of a length scale
LOGITS = (-5.0, 5.0)  # bounds of the two shares, as logits
FLATTEST = 0.25  # smallest curvature of the log posterior: no option gets a standard deviation above 2
STEP = 1e-3  # of the difference quotients of the gradient


@dataclass(frozen=True)
class Kernels:
    """Kernels as shares of one total variance.

    Attributes:
        lengths: Length scale of each coordinate `(H, D)`.
        explained: Share of the variance that the coordinates explain `(H,)`.
        special: Share of what is special to a configuration `(H,)`.
        weight: Posterior probability of each kernel `(H,)`.
    """

    lengths: Array
    explained: Array
    special: Array
    weight: Array

    @property
    def noise(self) -> Array:
        """Share of the noise of a training seed `(H,)`."""
        return 1.0 - self.explained - self.special

    def __len__(self) -> int:
        return len(self.explained)

    def between(self, points: Array) -> Array:
        """Return the covariances `(H, K, K)` of the true values of configurations at points `(K, D)`."""
        return np.stack([self.covariance(kernel, points) for kernel in range(len(self))])

    def covariance(self, kernel: int, points: Array) -> Array:
        """Return the covariance `(K, K)` of the true values of configurations at points `(K, D)` for one kernel."""
        covariance = matern(*decayed(squares_between(points / self.lengths[kernel])))
        covariance *= self.explained[kernel]
        covariance[np.diag_indices(len(points))] += self.special[kernel]
        return covariance


def likely_kernels(points: Array, which: Indices, values: Array, seed: int = 0) -> Kernels:
    """Return `KEPT` kernels with their posterior probabilities.

    The kernels are normal draws around the most probable one, with the curvature of the log posterior there, in
    antithetic pairs. Their probabilities are importance weights, cut at the ninth decile, so that no single kernel
    decides.

    Source: Tierney and Kadane 1986 for the normal approximation; Ionides 2008, "Truncated importance sampling".

    Args:
        points: Coordinates `(K, D)` of the configurations.
        which: Index of the configuration of each training `(N,)`.
        values: Values of the trainings `(N,)`.
        seed: Seed of the draws.
    """
    options = _LogPosterior(points, which, values)
    best = options.highest()
    variances, directions = np.linalg.eigh(options.curvature(best))
    spread = directions / np.sqrt(np.maximum(variances, FLATTEST))
    half = np.random.default_rng(seed).standard_normal((KEPT // 2, len(best)))
    normal = np.concatenate([half, -half])
    drawn = np.clip(best + normal @ spread.T, *options.bounds)
    weights = np.array([options.of(each)[0] for each in drawn]) + 0.5 * np.square(normal).sum(axis=1)
    weights = np.exp(np.minimum(weights, np.quantile(weights, 0.9)) - weights.max())
    explained, special = _shares(drawn[:, -2], drawn[:, -1])
    return Kernels(np.exp(drawn[:, :-2]), explained, special, weights / weights.sum())


class _LogPosterior:
    """Logarithm of the posterior density of a kernel's options, with its gradient.

    The options `(D + 2,)` are the logarithms of the length scales, the logit of the share that the coordinates explain,
    and the logit of the share of what is special to a configuration in the rest. Both shares have a uniform prior. The
    mean and the total variance of the values are integrated, see `groupdir.values.posterior`.
    """

    def __init__(self, points: Array, which: Indices, values: Array) -> None:
        self._points, self._values = points[which], values
        self._same = (which[:, None] == which).astype(np.float64)
        count = points.shape[1]
        self.bounds = (
            np.array([LOGS[0]] * count + [LOGITS[0]] * 2),
            np.array([LOGS[1]] * count + [LOGITS[1]] * 2),
        )

    def highest(self) -> Array:
        """Return the most probable options."""
        start = np.append(np.full(self._points.shape[1], np.log(LENGTH[0])), [0.0, 0.0])

        def negative(options: Array) -> tuple[float, Array]:
            height, slope = self.of(options)
            return -height, -slope

        bounds = list(zip(*self.bounds, strict=True))
        found = minimize(negative, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60})
        return np.asarray(found.x)

    def curvature(self, options: Array) -> Array:
        """Return the negative second derivatives `(D + 2, D + 2)`, by central differences of the gradient."""
        steps = STEP * np.eye(len(options))
        rows = [(self.of(options - step)[1] - self.of(options + step)[1]) / (2 * STEP) for step in steps]
        curvature = np.stack(rows)
        return np.asarray((curvature + curvature.T) / 2)

    def of(self, options: Array) -> tuple[float, Array]:
        """Return the log density and its gradient `(D + 2,)`."""
        logs, lengths = options[:-2], np.exp(options[:-2])
        explained, special = _shares(options[-2], options[-1])
        share = expit(options[-1])
        scaled = self._points / lengths
        decays = decayed(squares_between(scaled))
        smooth, slope = matern(*decays), matern_slope(*decays)
        noisy = np.eye(len(self._values))
        covariance = explained * smooth + special * self._same + (1.0 - explained - special) * noisy
        height, weights = _restricted_likelihood(covariance, self._values)
        rest = share * self._same + (1.0 - share) * noisy
        gradient = np.empty(len(options))
        gradient[:-2] = explained * _weighted_squares(weights * slope, scaled)
        gradient[-2] = (weights * (smooth - rest)).sum() * explained * (1.0 - explained)
        gradient[-1] = (weights * (self._same - noisy)).sum() * (1.0 - explained) * share * (1.0 - share)
        apart = (logs - np.log(LENGTH[0])) / LENGTH[1]
        height += -0.5 * float(apart @ apart) + float(np.log(explained * (1 - explained) * share * (1 - share)))
        gradient[:-2] -= apart / LENGTH[1]
        gradient[-2] += 1.0 - 2.0 * explained
        gradient[-1] += 1.0 - 2.0 * share
        return height, gradient


def _shares(first: Array | float, second: Array | float) -> tuple[Array, Array]:
    """Return the explained and the special share of the variance from their logits."""
    explained = np.asarray(expit(first))
    return explained, np.asarray((1.0 - explained) * expit(second))


def _restricted_likelihood(covariance: Array, values: Array) -> tuple[float, Array]:
    """Return the log likelihood of values, and its derivatives `(N, N)` with respect to their covariance.

    The mean has a flat prior and the variance a scale-invariant one. Both are integrated.

    Source: Patterson and Thompson 1971, "Recovery of inter-block information when block sizes are unequal".
    """
    inverse = np.linalg.inv(covariance)
    sums = inverse.sum(axis=0)
    projection = inverse - np.outer(sums, sums) / sums.sum()
    residuals = projection @ values
    freedom = len(values) - 1
    squares = max(float(values @ residuals), 1e-30 * (1.0 + float(values @ values)))
    height = -0.5 * (np.linalg.slogdet(covariance)[1] + np.log(sums.sum()) + freedom * np.log(squares))
    return float(height), 0.5 * (freedom / squares * np.outer(residuals, residuals) - projection)


def decayed(squares: Array) -> tuple[Array, Array]:
    """Return for squared scaled distances s the values d = sqrt(5 s) and exp(-d), which `matern` needs."""
    distance = np.sqrt(5.0 * squares)
    return distance, np.exp(-distance)


def matern(distance: Array, decay: Array) -> Array:
    """Return the Matern 5/2 correlation from the values of `decayed`."""
    correlation = 1.0 + distance
    correlation += distance * distance / 3.0
    correlation *= decay
    return np.asarray(correlation)


def matern_slope(distance: Array, decay: Array) -> Array:
    """Return a factor of the derivative of `matern` with respect to the logarithm of a length scale.

    The derivative is the factor times the squared scaled distance in the coordinate of this length scale.
    """
    return np.asarray(5.0 / 3.0 * (1.0 + distance) * decay)


def squares_between(points: Array) -> Array:
    """Return the squared Euclidean distances `(K, K)` of points `(K, D)`."""
    squares = np.square(points).sum(axis=1)
    between = squares[:, None] + squares
    between -= 2.0 * points @ points.T
    return np.asarray(np.maximum(between, 0.0, out=between))


def _weighted_squares(weights: Array, points: Array) -> Array:
    """Return for each coordinate the sum over all pairs of a weight times the squared distance `(D,)`.

    Args:
        weights: Symmetric weights `(N, N)`.
        points: Points `(N, D)`.
    """
    return np.asarray(2.0 * (weights.sum(axis=1) @ np.square(points) - (points * (weights @ points)).sum(axis=0)))
