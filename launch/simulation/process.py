"""Gaussian process over points of a search space, for surrogates of recorded curves."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Matern, WhiteKernel

Array = npt.NDArray[np.float64]
SCALES = (0.3, 3.0)  # length scales for coordinates from 0 to 1: tens of trials are too few to fit shorter ones
AMPLITUDES = (0.3, 10.0)  # variance that the points explain, in units of the variance of the targets
NOISES = (0.02, 10.0)  # variance that the points do not explain, in the same units


class Process:
    """Gaussian process regression with a length scale for each coordinate and with noise.

    Source: Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", algorithm 2.1 and equation 5.12
    (scikit-learn); Matern kernel, nu = 5/2.

    Args:
        points: Coordinates `(N, D)` from 0 to 1.
        targets: Targets `(N,)`.
        kernel: Fitted kernel of another process, for targets divided by their standard deviation. None fits a kernel to
            these targets.
    """

    def __init__(self, points: Array, targets: Array, kernel: Kernel | None = None) -> None:
        self._centre, self._scale = float(targets.mean()), float(targets.std()) or 1e-9
        self._targets = (targets - self._centre) / self._scale
        known = kernel is not None
        self._fitted = GaussianProcessRegressor(
            kernel if known else fresh_kernel(points.shape[1]), optimizer=None if known else "fmin_l_bfgs_b"
        )
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ConvergenceWarning
            )  # a length scale at its bound is no fault: the coordinate does not matter
            self._fitted.fit(points, self._targets)

    @property
    def kernel(self) -> Kernel:
        """Fitted kernel, explained variance * Matern + noise, for targets divided by their standard deviation."""
        return self._fitted.kernel_

    def predict(self, points: Array) -> Array:
        """Return the means `(N,)` at points `(N, D)`."""
        return np.asarray(self._centre + self._scale * self._fitted.predict(points))

    def joint(self, points: Array) -> tuple[Array, Array]:
        """Return means `(N,)` and covariance `(N, N)` at points `(N, D)`, without the noise of a single training."""
        mean, covariance = self._fitted.predict(points, return_cov=True)
        covariance[np.diag_indices_from(covariance)] -= self.kernel.k2.noise_level
        return np.asarray(self._centre + self._scale * mean), np.asarray(self._scale**2 * covariance)

    def left_out(self) -> Array:
        """Return the leave-one-out means `(N,)`: each fitted point is predicted from all other points."""
        precision = np.linalg.inv(self._fitted.L_ @ self._fitted.L_.T)
        missed = self._fitted.alpha_.ravel() / np.diag(precision)
        return np.asarray(self._centre + self._scale * (self._targets - missed))


def fresh_kernel(coordinates: int) -> Kernel:
    """Return the kernel from which a fit starts."""
    return ConstantKernel(1.0, AMPLITUDES) * Matern(np.ones(coordinates), SCALES, nu=2.5) + WhiteKernel(0.1, NOISES)
