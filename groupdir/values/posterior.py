"""Posterior of the true values of configurations from noisy trainings, by Gaussian processes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, qmc

Array = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

FEWEST = 5
"""Smallest number of trainings from which values are estimated."""

LENGTHS = (0.2, 3.0)  # prior range of the length scale, in units of the typical distance of two configurations
EXPLAINED = (0.02, 0.98)  # prior range of the share of the variance that the parameters explain
TRIED = 64  # kernels of each of the two rounds that are weighed by their likelihood
KEPT = 32  # kernels that the posterior averages over
WEIGHED = 160  # most trainings from which the likelihood of a kernel is computed
LARGEST = 300  # most configurations in one process; more are split into processes that share their kernels
DRAWS = 2048  # joint samples


class Posterior:
    """Posterior of the true value of each configuration: its mean over training seeds.

    Training j of configuration i gives y_ij = m + f(x_i) + d_i + e_ij. f is a smooth function of the parameters (a
    Gaussian process with a Matern 5/2 kernel), d_i is what is special to a configuration, and e_ij is the noise of a
    training seed. The true value is m + f(x_i) + d_i. The best of many noisy values is too good on average; its
    posterior mean is closer to the mean of all values, the more so the larger the noise is.

    Nothing is tuned. The mean m and the total variance are integrated analytically. The length scale, the share of the
    variance that f explains, and the share of d in the rest are averaged over `KEPT` kernels. These are drawn from
    2 * `TRIED` quasi-random kernels by their likelihood. Their prior is uniform, for the length scale on a logarithmic
    scale. With one training for each configuration, d and e cannot be told apart, and the average covers both cases.
    Further trainings of a configuration tell them apart.

    Source: Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", equations 2.42 and 5.8; O'Hagan
    1978 for the integrated mean and variance; Cappe et al. 2004, "Population Monte Carlo", for the two rounds.

    Args:
        points: Coordinates `(K, D)` of the configurations.
        which: Index of the configuration of each training `(N,)`, N >= `FEWEST`.
        values: Values of the trainings `(N,)`, finite, lower is better.
        seed: Seed of the kernels.
    """

    def __init__(self, points: Array, which: Indices, values: Array, seed: int = 0) -> None:
        if len(values) < FEWEST:
            raise ValueError(f"a posterior needs at least {FEWEST} trainings, got {len(values)}")
        self.count = len(points)
        distances = _distances(points)
        kernels = _likely_kernels(distances, which, values, seed)
        self.kernels = kernels
        self._parts: list[tuple[Indices, _Fit]] = []
        for start in range(-(-self.count // LARGEST)):
            part = np.arange(start, self.count, -(-self.count // LARGEST))
            here = np.isin(which, part)
            inside = np.searchsorted(part, which[here])
            self._parts.append((part, _fit(kernels, distances[np.ix_(part, part)], inside, values[here])))
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
        """Return joint samples `(draws, K)` of the true values, which are draws of Student's t for each kernel."""
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
class _Kernels:
    """Kernels as shares of one total variance.

    Attributes:
        length: Length scales `(H,)`, in the units of the points.
        explained: Share of the smooth function `(H,)`.
        special: Share of what is special to a configuration `(H,)`.
        weight: Posterior probability `(H,)`.
    """

    length: Array
    explained: Array
    special: Array
    weight: Array

    @property
    def noise(self) -> Array:
        """Share of the noise of a training seed `(H,)`."""
        return 1.0 - self.explained - self.special

    def __len__(self) -> int:
        return len(self.length)

    def between(self, distances: Array) -> Array:
        """Return the covariances `(H, K, K)` of the true values of configurations at distances `(K, K)`."""
        scaled = np.sqrt(5.0) * distances / self.length[:, None, None]
        covariance = np.exp(-scaled) * (1.0 + scaled + scaled * scaled / 3.0) * self.explained[:, None, None]
        covariance += self.special[:, None, None] * np.eye(len(distances))
        return np.asarray(covariance)


@dataclass(frozen=True)
class _Fit:
    """Posterior for each kernel, in units of a total variance that has its own posterior.

    Attributes:
        likelihood: Logarithm of the marginal likelihood `(H,)`.
        mean: Means `(H, K)`.
        covariance: Covariances `(H, K, K)`.
        squares: Sums of squares `(H,)`: the total variance is `squares` over a chi-square variable.
        freedom: Degrees of freedom of the chi-square variable.
    """

    likelihood: Array
    mean: Array
    covariance: Array
    squares: Array
    freedom: int


def _fit(kernels: _Kernels, distances: Array, which: Indices, values: Array) -> _Fit:
    """Return the posterior of the true values for each kernel."""
    count, trainings = len(kernels), len(values)
    true = kernels.between(distances)
    cross = true[:, which]
    root = np.linalg.cholesky(cross[:, :, which] + kernels.noise[:, None, None] * np.eye(trainings))
    columns = np.broadcast_to(np.stack([np.ones(trainings), values], axis=1), (count, trainings, 2))
    solved = np.linalg.solve(root, np.concatenate([columns, cross], axis=2))
    one, y, known = solved[:, :, 0], solved[:, :, 1], solved[:, :, 2:]
    weight = np.square(one).sum(axis=1)
    middle = (one * y).sum(axis=1) / weight
    rest = y - middle[:, None] * one
    squares = np.square(rest).sum(axis=1) + 1e-30 * (1.0 + np.square(values).sum())
    logs = np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    likelihood = -logs - 0.5 * np.log(weight) - 0.5 * (trainings - 1) * np.log(squares)
    mean = middle[:, None] + np.einsum("hnk,hn->hk", known, rest)
    unknown = 1.0 - np.einsum("hnk,hn->hk", known, one)
    covariance = true - known.transpose(0, 2, 1) @ known
    covariance += unknown[:, :, None] * unknown[:, None, :] / weight[:, None, None]
    return _Fit(likelihood, mean, covariance, squares, trainings - 1)


def _likely_kernels(distances: Array, which: Indices, values: Array, seed: int) -> _Kernels:
    """Return at most `KEPT` kernels, drawn by their posterior probability.

    The first round draws kernels from the prior. The second draws them around those of the first round that explain the
    trainings. Both count with their importance weights. At most `WEIGHED` trainings are used, those of configurations
    with several trainings first, because only they show the noise of a seed.
    """
    several = np.bincount(which, minlength=len(distances))[which] > 1
    order = np.argsort(~several, kind="stable")
    extra = order[several.sum() :]
    room = WEIGHED - int(several.sum())
    if len(extra) > room:
        extra = extra[np.linspace(0, len(extra) - 1, max(room, 0)).astype(np.int64)]
    used = np.sort(np.concatenate([order[: several.sum()][:WEIGHED], extra]))
    part, inside = np.unique(which[used], return_inverse=True)
    near = distances[np.ix_(part, part)]
    typical = float(np.sqrt(np.square(near).sum() / max(1, len(part) * (len(part) - 1)))) or 1.0
    quantiles = qmc.Sobol(3, scramble=True, rng=np.random.default_rng(seed)).random(2 * TRIED)
    normal = norm.ppf(np.clip(quantiles, 1e-6, 1 - 1e-6))
    first = normal[:TRIED]
    likelihood = _fit(_kernels(first, typical), near, inside, values[used]).likelihood
    weights = np.exp(0.5 * (likelihood - likelihood.max()))
    weights /= weights.sum()
    centre = weights @ first
    root = np.linalg.cholesky((first - centre).T @ ((first - centre) * weights[:, None]) + 0.05 * np.eye(3))
    second = centre + normal[TRIED:] @ root.T
    likelihood = np.append(likelihood, _fit(_kernels(second, typical), near, inside, values[used]).likelihood)
    both = np.concatenate([first, second])
    prior = -0.5 * np.square(both).sum(axis=1)
    around = -0.5 * np.square(np.linalg.solve(root, (both - centre).T)).sum(axis=0) - np.log(np.diag(root)).sum()
    weights = likelihood + prior - np.logaddexp(prior, around)
    weights = np.exp(weights - weights.max())
    shares = (np.arange(KEPT) + 0.5) / KEPT
    kept = np.minimum(np.searchsorted(np.cumsum(weights / weights.sum()), shares), len(both) - 1)
    distinct, counts = np.unique(kept, return_counts=True)
    return _kernels(both[distinct], typical, counts / KEPT)


def _kernels(normal: Array, typical: float, weight: Array | None = None) -> _Kernels:
    """Return the kernels at standard normal numbers `(H, 3)`, which the prior maps to their three options."""
    weight = np.full(len(normal), 1.0 / len(normal)) if weight is None else weight
    quantile = norm.cdf(normal)
    low, high = np.log(LENGTHS)
    explained = EXPLAINED[0] + (EXPLAINED[1] - EXPLAINED[0]) * quantile[:, 1]
    special = (1.0 - explained) * np.clip(quantile[:, 2], 1e-4, 1 - 1e-3)
    return _Kernels(typical * np.exp(low + quantile[:, 0] * (high - low)), explained, special, weight)


def _distances(points: Array) -> Array:
    """Return the Euclidean distances `(K, K)` of points `(K, D)`."""
    squares = np.square(points).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squares[:, None] + squares - 2.0 * points @ points.T, 0.0)))


def _root(covariance: Array) -> Array:
    """Return a matrix root of a covariance, with a small diagonal added because rounding can make it singular."""
    safe = covariance + 1e-9 * (1.0 + float(np.abs(np.diag(covariance)).max())) * np.eye(len(covariance))
    try:
        return np.asarray(np.linalg.cholesky(safe))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(safe)
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))
