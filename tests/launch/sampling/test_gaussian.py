"""The Gaussian process with additive and interacting effects."""

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from launch.sampling.gaussian import JITTER, MOST_MIX, Gaussian, Hyper, _Density, _standardised, fitted


def test_the_fit_finds_a_curve_behind_noise() -> None:
    rng = np.random.default_rng(0)
    points = rng.random((60, 2))
    targets = np.sin(4 * points[:, 0]) + 0.1 * rng.standard_normal(60)
    hyper = fitted(points, targets, Hyper.usual(2))
    process = Gaussian(points, targets, hyper)
    new = rng.random((50, 2))
    mean, covariance = process.joint(new)
    assert np.abs(mean - np.sin(4 * new[:, 0])).mean() < 0.1
    assert mean == pytest.approx(process.predict(new))
    assert np.sqrt(np.diag(covariance)).mean() < 0.1, "of the curve, not of one more noisy look at it"
    assert hyper.scales[1] > 2 * hyper.scales[0], "the second coordinate does not matter"


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_that_of_the_density(seed: int) -> None:
    rng = np.random.default_rng(seed)
    density = _Density(rng.random((20, 4)), _standardised(rng.standard_normal(20))[0], Hyper.usual(4))
    theta = Hyper.usual(4).theta + 0.5 * rng.standard_normal(7)
    assert check_grad(lambda at: density.loss(at)[0], lambda at: density.loss(at)[1], theta) < 1e-4


def test_interactions_alone_are_the_regression_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    points, targets = rng.random((25, 3)), rng.standard_normal(25)
    targets = (targets - targets.mean()) / targets.std()
    hyper = Hyper(np.array([0.3, 0.8, 2.0]), 1.7, 1.0, 0.2)
    kernel = ConstantKernel(1.7) * Matern(hyper.scales, nu=2.5) + WhiteKernel(0.2)
    slow = GaussianProcessRegressor(kernel, optimizer=None, alpha=JITTER).fit(points, targets)
    new = rng.random((10, 3))
    mean, covariance = Gaussian(points, targets, hyper).joint(new)
    expected, spread = slow.predict(new, return_cov=True)
    assert mean == pytest.approx(expected, abs=1e-9)
    assert covariance == pytest.approx(spread - 0.2 * np.eye(10), abs=1e-9)


def test_the_data_say_whether_effects_add_up() -> None:
    """Of a sum of effects much is known from few points; the fit says so, and of a product the contrary."""
    rng = np.random.default_rng(2)
    points, new = rng.random((60, 5)), rng.random((200, 5))

    def adds(at: np.ndarray) -> np.ndarray:
        return np.asarray(np.square(at - [0.2, 0.8, 0.5, 0.3, 0.6]).sum(axis=1))

    def interacts(at: np.ndarray) -> np.ndarray:
        return np.asarray(np.sin(5 * at[:, 0] * at[:, 1]) * np.cos(3 * at[:, 2]))

    added = fitted(points, adds(points), Hyper.usual(5))
    multiplied = fitted(points, interacts(points), Hyper.usual(5))
    assert added.mixed < 0.1
    assert multiplied.mixed > 0.5
    error = Gaussian(points, adds(points), added).predict(new) - adds(new)
    whole = Hyper(added.scales, added.signal, 1 / (1 + np.exp(-MOST_MIX)), added.noise)
    other = Gaussian(points, adds(points), whole).predict(new) - adds(new)
    assert np.square(error).mean() < 0.5 * np.square(other).mean()


def test_equal_targets_are_no_error() -> None:
    points = np.random.default_rng(3).random((9, 2))
    hyper = fitted(points, np.full(9, 4.0), Hyper.usual(2))
    assert Gaussian(points, np.full(9, 4.0), hyper).predict(points[:2]) == pytest.approx([4.0, 4.0])
