"""Posterior of the true values of configurations from noisy trainings, by Gaussian processes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groupdir.values.kernels import Array, Indices, Kernels, likely_kernels

FEWEST = 5
"""Smallest number of trainings from which values are estimated."""

WEIGHED = 160  # most trainings that decide which kernels are likely
LARGEST = 300  # most configurations in one process; more are split into processes that share their kernels
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

    def __init__(self, points: Array, which: Indices, values: Array, seed: int = 0) -> None:
        if len(values) < FEWEST:
            raise ValueError(f"a posterior needs at least {FEWEST} trainings, got {len(values)}")
        self.count = len(points)
        self.kernels = kernels = _kernels(points, which, values, seed)
        self._parts: list[tuple[Indices, _Fit]] = []
        for start in range(-(-self.count // LARGEST)):
            part = np.arange(start, self.count, -(-self.count // LARGEST))
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

    def covariance(self, chosen: Indices) -> Array:
        """Return the posterior covariance `(k, k)` of the true values of some configurations."""
        covariance = np.zeros((len(chosen), len(chosen)))
        for (part, fit), scale in zip(self._parts, self._scale, strict=True):
            here = np.flatnonzero(np.isin(chosen, part))
            inside = np.searchsorted(part, chosen[here])
            weight, mean = self.kernels.weight, fit.mean[:, inside]
            within = np.einsum("h,hkl->kl", weight * scale, fit.covariance[:, inside[:, None], inside])
            apart = mean - weight @ mean
            covariance[np.ix_(here, here)] = within + apart.T @ (weight[:, None] * apart)
        return covariance

    def samples(self, seed: int = 0, draws: int = DRAWS) -> Array:
        """Return joint samples `(draws, K)` of the true values: draws of Student's t of the weighted kernels."""
        samples = np.empty((draws, self.count))
        shares = (np.arange(draws) + 0.5) / draws
        kernels = np.minimum(np.searchsorted(np.cumsum(self.kernels.weight), shares), len(self.kernels) - 1)
        for part, fit in self._parts:
            rng = np.random.default_rng([seed, int(part[0])])
            for kernel in np.unique(kernels):
                rows = np.flatnonzero(kernels == kernel)
                variance = fit.squares[kernel] / rng.chisquare(fit.freedom, size=len(rows))
                normal = rng.standard_normal((len(rows), len(part))) @ _root(fit.covariance[kernel]).T
                samples[np.ix_(rows, part)] = fit.mean[kernel] + np.sqrt(variance)[:, None] * normal
        return samples


@dataclass(frozen=True)
class _Fit:
    """Posterior for each kernel, in units of a total variance that has its own posterior.

    Attributes:
        mean: Means `(H, K)`.
        covariance: Covariances `(H, K, K)`.
        squares: Sums of squares `(H,)`: the total variance is `squares` over a chi-square variable.
        freedom: Degrees of freedom of the chi-square variable.
    """

    mean: Array
    covariance: Array
    squares: Array
    freedom: int


def _fit(kernels: Kernels, points: Array, which: Indices, values: Array) -> _Fit:
    """Return the posterior of the true values for each kernel."""
    count, trainings = len(kernels), len(values)
    true = kernels.between(points)
    cross = true[:, which]
    root = np.linalg.cholesky(cross[:, :, which] + kernels.noise[:, None, None] * np.eye(trainings))
    columns = np.broadcast_to(np.stack([np.ones(trainings), values], axis=1), (count, trainings, 2))
    solved = np.linalg.solve(root, np.concatenate([columns, cross], axis=2))
    one, y, known = solved[:, :, 0], solved[:, :, 1], solved[:, :, 2:]
    weight = np.square(one).sum(axis=1)
    middle = (one * y).sum(axis=1) / weight
    rest = y - middle[:, None] * one
    squares = np.square(rest).sum(axis=1) + 1e-30 * (1.0 + np.square(values).sum())
    mean = middle[:, None] + np.einsum("hnk,hn->hk", known, rest)
    unknown = 1.0 - np.einsum("hnk,hn->hk", known, one)
    covariance = true - known.transpose(0, 2, 1) @ known
    covariance += unknown[:, :, None] * unknown[:, None, :] / weight[:, None, None]
    return _Fit(mean, covariance, squares, trainings - 1)


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
