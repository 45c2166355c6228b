"""Gaussian process over points of a search space, with additive and interacting effects of the parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

Array = npt.NDArray[np.float64]
ROOT5 = float(np.sqrt(5.0))
JITTER = 1e-8
ITERATIONS = 60
SCALE = 0.25  # most likely length scale of a single coordinate from 0 to 1, times sqrt(D) with D coordinates
NOISE = 0.1  # most likely noise, as a share of the variance of the targets
SPREAD_OF_SCALE, SPREAD_OF_SIGNAL, SPREAD_OF_NOISE, SPREAD_OF_MIX = 1.0, 1.0, 1.5, 1.5
LOWEST = {"scale": 0.05, "signal": 0.05, "noise": 1e-3}
HIGHEST = {"scale": 30.0, "signal": 20.0, "noise": 3.0}
MOST_MIX = 3.0  # logit: the share of interactions stays between 5 and 95 %


@dataclass(frozen=True)
class Hyper:
    """Hyperparameters of a process, for targets of mean 0 and variance 1.

    Attributes:
        scales: Length scale of each coordinate `(D,)`.
        signal: Variance that the points explain.
        mixed: Share of it that comes from interactions of all coordinates. The rest is a sum of effects of single
            coordinates.
        noise: Variance that the points do not explain.
    """

    scales: Array
    signal: float
    mixed: float
    noise: float

    @classmethod
    def usual(cls, dimensions: int) -> Hyper:
        """Return the hyperparameters that are most likely before any data."""
        return cls(np.full(dimensions, SCALE * np.sqrt(dimensions)), 1.0, 0.5, NOISE)

    @classmethod
    def at(cls, theta: Array) -> Hyper:
        """Return the hyperparameters of a vector `theta`."""
        signal, noise = np.exp(theta[-3:-1])
        return cls(np.exp(theta[:-3]), float(signal), float(1 / (1 + np.exp(-theta[-1]))), float(noise))

    @cached_property
    def theta(self) -> Array:
        """Vector `(D + 3,)` of the logarithms of scales, signal and noise, and the logit of `mixed`."""
        logit = np.log(self.mixed / (1 - self.mixed))
        return np.concatenate([np.log(self.scales), np.log([self.signal, self.noise]), [logit]])


def fitted(points: Array, targets: Array, usual: Hyper) -> Hyper:
    """Return the hyperparameters of the greatest posterior density for some targets.

    The prior is normal in `Hyper.theta`. It keeps a fit to a dozen targets from explaining their noise.

    Sources: Duvenaud et al. 2011, "Additive Gaussian processes", with the first and the last order of interactions
    only; Hvarfner et al. 2024, "Vanilla Bayesian optimization performs great in high dimensions", for length scales
    whose prior grows with the square root of the number of coordinates.

    Args:
        points: Coordinates `(N, D)`.
        targets: Targets `(N,)`, of any mean and variance.
        usual: Mean of the prior, where the fit starts.
    """
    density = _Density(points, _standardised(targets)[0], usual)
    dimensions = points.shape[1]
    limits = [*["scale"] * dimensions, "signal", "noise"]
    bounds = [(float(np.log(LOWEST[name])), float(np.log(HIGHEST[name]))) for name in limits]
    found = minimize(
        density.loss,
        usual.theta,
        jac=True,
        method="L-BFGS-B",
        bounds=[*bounds, (-MOST_MIX, MOST_MIX)],
        options={"maxiter": ITERATIONS},
    )
    return Hyper.at(found.x)


class _Density:
    """Posterior density of hyperparameters.

    Args:
        points: Coordinates `(N, D)`.
        values: Standardised targets `(N,)`.
        usual: Mean of the prior.
    """

    def __init__(self, points: Array, values: Array, usual: Hyper) -> None:
        self._squares = np.square(points[:, None] - points[None])
        self._values, self._usual = values, usual.theta
        scales = [SPREAD_OF_SCALE] * points.shape[1]
        self._spread = np.array([*scales, SPREAD_OF_SIGNAL, SPREAD_OF_NOISE, SPREAD_OF_MIX])

    def loss(self, theta: Array) -> tuple[float, Array]:
        """Return the negative log density at `theta`, up to a constant, and its gradient `(D + 3,)`."""
        hyper, count, dimensions = Hyper.at(theta), len(self._values), self._squares.shape[2]
        shares = self._squares / np.square(hyper.scales)
        together, steepness = _matern(shares.sum(axis=2))
        single, steepnesses = _matern(shares)
        alone = single.mean(axis=2)
        part = hyper.mixed * together + (1 - hyper.mixed) * alone
        kernel = hyper.signal * part
        kernel[np.diag_indices(count)] += hyper.noise + JITTER
        root = cholesky(kernel, lower=True)
        alpha = cho_solve((root, True), self._values)
        weight = np.outer(alpha, alpha) - cho_solve((root, True), np.eye(count))
        scales = hyper.mixed * np.einsum("ij,ij,ijd->d", weight, steepness, shares)
        scales += (1 - hyper.mixed) / dimensions * np.einsum("ij,ijd,ijd->d", weight, steepnesses, shares)
        mix = hyper.mixed * (1 - hyper.mixed) * (weight * (together - alone)).sum()
        rest = [hyper.signal * (weight * part).sum(), hyper.noise * np.trace(weight), hyper.signal * mix]
        gradient = 0.5 * np.concatenate([hyper.signal * scales, rest])
        likelihood = -0.5 * self._values @ alpha - np.log(np.diag(root)).sum()
        off = (theta - self._usual) / self._spread
        return float(0.5 * off @ off - likelihood), off / self._spread - gradient


def _matern(squares: Array) -> tuple[Array, Array]:
    """Return the Matern kernel (nu = 5/2) of squared distances, and -2 times its derivative by them."""
    away = ROOT5 * np.sqrt(squares)
    decay = np.exp(-away)
    return (1 + away + 5 / 3 * squares) * decay, 5 / 3 * (1 + away) * decay


class Gaussian:
    """Gaussian process regression with given hyperparameters.

    Source: Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", algorithm 2.1.

    Args:
        points: Coordinates `(N, D)`.
        targets: Targets `(N,)`, of any mean and variance.
        hyper: Hyperparameters for these targets after they are standardised.
    """

    def __init__(self, points: Array, targets: Array, hyper: Hyper) -> None:
        values, self._centre, self._unit = _standardised(targets)
        self._points, self._hyper = points, hyper
        kernel = _covariance(points, points, hyper)
        kernel[np.diag_indices(len(points))] += hyper.noise + JITTER
        self._root = cholesky(kernel, lower=True)
        self._alpha = cho_solve((self._root, True), values)

    def predict(self, points: Array) -> Array:
        """Return the means `(K,)` at points `(K, D)`."""
        return np.asarray(self._centre + self._unit * (_covariance(points, self._points, self._hyper) @ self._alpha))

    def joint(self, points: Array) -> tuple[Array, Array]:
        """Return means `(K,)` and covariance `(K, K)` at points `(K, D)`, without the noise of a single training."""
        across = _covariance(points, self._points, self._hyper)
        known = solve_triangular(self._root, across.T, lower=True)
        spread = _covariance(points, points, self._hyper) - known.T @ known
        return np.asarray(self._centre + self._unit * (across @ self._alpha)), np.asarray(self._unit**2 * spread)


def _covariance(first: Array, second: Array, hyper: Hyper) -> Array:
    """Return the covariance `(N, K)` of the true values at points `(N, D)` and `(K, D)`."""
    squares = np.zeros((len(first), len(second)))
    alone = np.zeros_like(squares)
    for column, scale in enumerate(hyper.scales):  # one coordinate at a time takes a fraction of the memory
        shares = np.square((first[:, None, column] - second[None, :, column]) / scale)
        squares += shares
        alone += _matern(shares)[0]
    mixed = hyper.mixed * _matern(squares)[0] + (1 - hyper.mixed) / len(hyper.scales) * alone
    return np.asarray(hyper.signal * mixed)


def _standardised(targets: Array) -> tuple[Array, float, float]:
    """Return targets of mean 0 and variance 1, their mean, and their standard deviation."""
    centre, unit = float(targets.mean()), float(targets.std()) or 1e-9
    return (targets - centre) / unit, centre, unit


def draw(mean: Array, covariance: Array, normal: Array) -> Array:
    """Return samples `(S, N)` from standard normal numbers `(S, N)`. The covariance may be singular."""
    jitter = 1e-6 * float(np.mean(np.diag(covariance))) + 1e-12
    try:
        root = np.linalg.cholesky(covariance + jitter * np.eye(len(covariance)))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(mean + normal @ root.T)
