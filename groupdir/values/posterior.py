"""Posterior of the true values of configurations from noisy trainings, by Gaussian processes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg.lapack import dtrtrs

from groupdir.values.kernels import Array, Indices, Kernels, likely_kernels
from groupdir.values.one_thread import one_thread

FEWEST = 5
"""Smallest number of trainings from which values are estimated."""

WEIGHED = 160  # most trainings that decide which kernels are likely
LARGEST = 300  # most configurations in one process; more are split into processes that share their kernels
PART = 150  # most configurations in each of several processes, whose cost grows with the cube of their size
DRAWS = 2048  # joint samples


class Posterior:
    """Posterior of the true value of each configuration: its mean over training seeds.

    Training j of configuration i gives y_ij = m + f(x_i) + d_i + e_ij. f is a smooth function of the parameters (a
    Gaussian process with a Matern 5/2 kernel), d_i is what is special to a configuration, and e_ij is the noise of a
    training seed. The true value is m + f(x_i) + d_i. The best of many noisy values is too good on average; its
    posterior mean is closer to the mean of all values, the more so the larger the noise is.

    The mean m and the total variance are integrated analytically. The length scale of each coordinate, the share of the
    variance that f explains, and the share of d in the rest are averaged over `groupdir.values.kernels.KEPT` likely
    kernels. With one training for each configuration, d and e cannot be told apart, and the average covers both cases.
    Further trainings of a configuration tell them apart.

    Source: Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", equations 2.42 and 5.8; O'Hagan
    1978 for the integrated mean and variance.

    Args:
        points: Coordinates `(K, D)` of the configurations.
        which: Index of the configuration of each training `(N,)`, N >= `FEWEST`.
        values: Values of the trainings `(N,)`, finite, lower is better.
        seed: Seed of the kernels.

    Raises:
        ValueError: If there are fewer than `FEWEST` trainings.
    """

    @one_thread
    def __init__(self, points: Array, which: Indices, values: Array, seed: int = 0) -> None:
        if len(values) < FEWEST:
            raise ValueError(f"a posterior needs at least {FEWEST} trainings, got {len(values)}")
        self.count = len(points)
        self.kernels = kernels = _kernels(points, which, values, seed)
        self._parts: list[tuple[Indices, _Fit]] = []
        parts = 1 if self.count <= LARGEST else -(-self.count // min(PART, LARGEST))
        for start in range(parts):
            part = np.arange(start, self.count, parts)
            here = np.isin(which, part)
            inside = np.searchsorted(part, which[here])
            self._parts.append((part, _fit(kernels, points[part], inside, values[here])))
        self._scale = [np.maximum(fit.squares, 0.0) / max(fit.freedom - 2, 1) for _, fit in self._parts]

    @property
    def mean(self) -> Array:
        """Posterior means `(K,)`."""
        mean = np.empty(self.count)
        for part, fit in self._parts:
            mean[part] = self.kernels.weight @ fit.mean
        return mean

    @property
    def noise(self) -> float:
        """Expected variance of the noise of one training seed."""
        sizes = np.array([len(part) for part, _ in self._parts], dtype=np.float64)
        noises = [float(self.kernels.weight @ (scale * self.kernels.noise)) for scale in self._scale]
        return float(np.average(noises, weights=sizes))

    @one_thread
    def covariance(self, chosen: Indices) -> Array:
        """Return the posterior covariance `(k, k)` of the true values of some configurations."""
        covariance = np.zeros((len(chosen), len(chosen)))
        for (part, fit), scale in zip(self._parts, self._scale, strict=True):
            here = np.flatnonzero(np.isin(chosen, part))
            inside = np.searchsorted(part, chosen[here])
            weight, mean = self.kernels.weight, fit.mean[:, inside]
            within = np.einsum("h,hkl->kl", weight * scale, fit.covariance_of(inside))
            apart = mean - weight @ mean
            covariance[np.ix_(here, here)] = within + apart.T @ (weight[:, None] * apart)
        return covariance

    @one_thread
    def samples(self, seed: int = 0, draws: int = DRAWS, chosen: Indices | None = None) -> Array:
        """Return joint samples of the true values: draws of Student's t of the weighted kernels.

        Args:
            seed: Seed of the draws.
            draws: Number of draws.
            chosen: Ascending indices of the k configurations to sample; all K if None.

        Returns:
            Samples `(draws, k)`.
        """
        chosen = np.arange(self.count) if chosen is None else chosen
        samples = np.empty((draws, len(chosen)))
        shares = (np.arange(draws) + 0.5) / draws
        kernels = np.minimum(np.searchsorted(np.cumsum(self.kernels.weight), shares), len(self.kernels) - 1)
        for part, fit in self._parts:
            rng = np.random.default_rng([seed, int(part[0])])
            here = np.flatnonzero(np.isin(chosen, part))
            if not len(here):
                continue
            inside = np.searchsorted(part, chosen[here])
            covariance = fit.covariance_of(inside)
            for kernel in np.unique(kernels):
                rows = np.flatnonzero(kernels == kernel)
                variance = fit.squares[kernel] / rng.chisquare(fit.freedom, size=len(rows))
                normal = rng.standard_normal((len(rows), len(here))) @ _root(covariance[kernel]).T
                samples[np.ix_(rows, here)] = fit.mean[kernel, inside] + np.sqrt(variance)[:, None] * normal
        return samples


@dataclass(frozen=True)
class _Fit:
    """Posterior for each kernel, in units of a total variance that has its own posterior.

    Only the means are kept. A covariance of all configurations takes K^2 numbers for each kernel, and most callers need
    that of a few configurations, so it is computed on request.

    Attributes:
        kernels: The kernels, H in number.
        points: Coordinates `(K, D)` of the configurations.
        which: Index of the configuration of each training `(N,)`.
        mean: Means `(H, K)`.
        squares: Sums of squares `(H,)`: the total variance is `squares` over a chi-square variable.
        freedom: Degrees of freedom of the chi-square variable.
    """

    kernels: Kernels
    points: Array
    which: Indices
    mean: Array
    squares: Array
    freedom: int

    def covariance_of(self, chosen: Indices) -> Array:
        """Return the covariances `(H, k, k)` of some configurations. That of all configurations is kept."""
        if len(chosen) == len(self.points) and np.array_equal(chosen, np.arange(len(chosen))):
            return self.covariance
        return self._covariance_of(chosen)

    @cached_property
    def covariance(self) -> Array:
        """Covariances `(H, K, K)` of all configurations."""
        return self._covariance_of(np.arange(len(self.points)))

    def _covariance_of(self, chosen: Indices) -> Array:
        covariances = np.empty((len(self.kernels), len(chosen), len(chosen)))
        for kernel, covariance in enumerate(covariances):
            true, root = _prior(self.kernels, kernel, self.points, self.which)
            one = _solved(root, np.ones(len(root)))
            known = _solved(root, true[np.ix_(self.which, chosen)])
            unknown = 1.0 - one @ known
            covariance[:] = true[np.ix_(chosen, chosen)] - known.T @ known
            covariance += np.outer(unknown, unknown) / (one @ one)
        return covariances


def _prior(kernels: Kernels, kernel: int, points: Array, which: Indices) -> tuple[Array, Array]:
    """Return the covariance `(K, K)` of the true values, and the Cholesky factor `(N, N)` of that of the trainings."""
    true = kernels.covariance(kernel, points)
    once = np.array_equal(which, np.arange(len(points)))  # one training each, as in most searches: a copy is faster
    noisy = true.copy() if once else true[np.ix_(which, which)]
    noisy[np.diag_indices_from(noisy)] += kernels.noise[kernel]
    return true, np.asarray(np.linalg.cholesky(noisy), dtype=np.float64)


def _solved(root: Array, right: Array, transposed: bool = False) -> Array:
    """Return the solution of `root x = right`, or of `root' x = right`, for a lower triangular root.

    LAPACK is called directly: the checks of `scipy.linalg.solve_triangular` take longer than small systems.
    """
    solution, failed = dtrtrs(root.T, right, lower=0, trans=0 if transposed else 1)  # LAPACK reads columns first
    assert failed == 0, "the diagonal of a Cholesky factor is positive"
    return np.asarray(solution)


def _fit(kernels: Kernels, points: Array, which: Indices, values: Array) -> _Fit:
    """Return the posterior of the true values for each kernel."""
    mean, squares = np.empty((len(kernels), len(points))), np.empty(len(kernels))
    columns = np.stack([np.ones(len(values)), values], axis=1)
    smallest = 1e-30 * (1.0 + np.square(values).sum())
    for kernel in range(len(kernels)):
        true, root = _prior(kernels, kernel, points, which)
        one, y = _solved(root, columns).T
        middle = float((one @ y) / (one @ one))
        rest = y - middle * one
        squares[kernel] = rest @ rest + smallest
        mean[kernel] = middle + true[:, which] @ _solved(root, rest, transposed=True)
    return _Fit(kernels, points, which, mean, squares, len(values) - 1)


def _kernels(points: Array, which: Indices, values: Array, seed: int) -> Kernels:
    """Return likely kernels, computed from at most `WEIGHED` trainings.

    The trainings of configurations with several come first, because only they show the noise of a seed.
    """
    several = np.flatnonzero(np.bincount(which, minlength=len(points))[which] > 1)[:WEIGHED]
    single = np.setdiff1d(np.arange(len(which)), several)
    if len(single) > WEIGHED - len(several):
        single = single[np.linspace(0, len(single) - 1, WEIGHED - len(several)).astype(np.int64)]
    used = np.sort(np.concatenate([several, single]))
    part, inside = np.unique(which[used], return_inverse=True)
    return likely_kernels(points[part], inside, values[used], seed)


def _root(covariance: Array) -> Array:
    """Return a matrix root of a covariance, with a small diagonal added because rounding can make it singular."""
    safe = covariance + 1e-9 * (1.0 + float(np.abs(np.diag(covariance)).max())) * np.eye(len(covariance))
    try:
        return np.asarray(np.linalg.cholesky(safe))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(safe)
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
