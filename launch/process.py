"""A Gaussian process over points of a search space."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Matern, WhiteKernel

Array = npt.NDArray[np.float64]
SCALES = (0.1, 100.0)  # length scales, where a coordinate goes from 0 to 1; at the upper end it does not matter


class Process:
    """A regression of one number on points, with a length scale for each coordinate and noise, both fitted.

    Source: Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", algorithm 2.1 and equation 5.12
    (scikit-learn).

    Args:
        points: `(N, D)`, coordinates from 0 to 1.
        targets: `(N,)`.
    """

    def __init__(self, points: Array, targets: Array) -> None:
        self._centre, self._scale = float(targets.mean()), float(targets.std()) or 1.0
        kernel = Matern(np.ones(points.shape[1]), SCALES, nu=2.5) + WhiteKernel(0.1, (1e-5, 10.0))
        self._fitted = GaussianProcessRegressor(kernel, random_state=0)
        self._targets = (targets - self._centre) / self._scale
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a length scale at its end means: does not matter
            self._fitted.fit(points, self._targets)

    def predict(self, points: Array) -> Array:
        """Means `(N,)` at points `(N, D)`."""
        return np.asarray(self._centre + self._scale * self._fitted.predict(points))

    def left_out(self) -> Array:
        """Means `(N,)` at the points it was fitted to, each as if that one had not been there."""
        precision = np.linalg.inv(self._fitted.L_ @ self._fitted.L_.T)
        missed = self._fitted.alpha_.ravel() / np.diag(precision)
        return np.asarray(self._centre + self._scale * (self._targets - missed))
