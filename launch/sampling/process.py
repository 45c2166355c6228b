"""A Gaussian process over points of a search space."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Matern, WhiteKernel

Array = npt.NDArray[np.float64]
SCALES = (0.3, 3.0)  # length scales, where a coordinate goes from 0 to 1; tens of trials cannot tell shorter ones
AMPLITUDES = (0.3, 10.0)  # variance that the points explain, that of all targets being 1
NOISES = (0.02, 10.0)  # variance that the points do not explain


class Process:
    """A regression of one number on points, with a length scale for each coordinate and noise.

    Source: Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", algorithm 2.1 and equation 5.12
    (scikit-learn); Matern kernel, nu = 5/2.

    Args:
        points: `(N, D)`, coordinates from 0 to 1.
        targets: `(N,)`.
        kernel: A fitted one of another process, in units of the targets' spread; None fits one to these targets.
    """

    def __init__(self, points: Array, targets: Array, kernel: Kernel | None = None) -> None:
        self._centre, self._scale = float(targets.mean()), float(targets.std()) or 1e-9
        self._targets = (targets - self._centre) / self._scale
        known = kernel is not None
        self._fitted = GaussianProcessRegressor(
            kernel if known else fresh_kernel(points.shape[1]), optimizer=None if known else "fmin_l_bfgs_b"
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a length scale at its end means: does not matter
            self._fitted.fit(points, self._targets)

    @property
    def kernel(self) -> Kernel:
        """As fitted: variance explained * Matern + noise, in units of the targets' spread."""
        return self._fitted.kernel_

    def predict(self, points: Array) -> Array:
        """Means `(N,)` at points `(N, D)`."""
        return np.asarray(self._centre + self._scale * self._fitted.predict(points))

    def joint(self, points: Array) -> tuple[Array, Array]:
        """Means `(N,)` and covariance `(N, N)` at points `(N, D)`: of what is looked for, without one look's noise."""
        mean, covariance = self._fitted.predict(points, return_cov=True)
        covariance[np.diag_indices_from(covariance)] -= self.kernel.k2.noise_level
        return np.asarray(self._centre + self._scale * mean), np.asarray(self._scale**2 * covariance)

    def left_out(self) -> Array:
        """Means `(N,)` at the points it was fitted to, each as if that one had not been there."""
        precision = np.linalg.inv(self._fitted.L_ @ self._fitted.L_.T)
        missed = self._fitted.alpha_.ravel() / np.diag(precision)
        return np.asarray(self._centre + self._scale * (self._targets - missed))


def draw(mean: Array, covariance: Array, normal: Array) -> Array:
    """Samples `(S, N)` from standard normal numbers `(S, N)`; the covariance may be singular."""
    jitter = 1e-6 * float(np.mean(np.diag(covariance))) + 1e-12
    try:
        root = np.linalg.cholesky(covariance + jitter * np.eye(len(covariance)))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
    return np.asarray(mean + normal @ root.T)


def fresh_kernel(coordinates: int) -> Kernel:
    """The kernel that fits start from."""
    return ConstantKernel(1.0, AMPLITUDES) * Matern(np.ones(coordinates), SCALES, nu=2.5) + WhiteKernel(0.1, NOISES)
