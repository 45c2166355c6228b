"""Likely kernels: the gradient against differences, the likelihood against a density, and what they find in data."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import multivariate_normal

from groupdir.values.kernels import KEPT, LENGTH, _LogPosterior, _restricted_likelihood, decayed, likely_kernels, matern
from groupdir.values.posterior import Posterior


def test_the_gradient_against_differences() -> None:
    rng = np.random.default_rng(0)
    which = np.array([0, 1, 2, 3, 4, 5, 1, 1, 3])
    log_posterior = _LogPosterior(rng.random((6, 3)), which, rng.normal(size=9))
    for _ in range(5):
        options = np.append(rng.normal(1.0, 1.0, 3), rng.normal(size=2))
        expected = approx_fprime(options, lambda each: log_posterior.of(each)[0], 1e-6)
        assert log_posterior.of(options)[1] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_the_restricted_likelihood_is_that_of_all_contrasts() -> None:
    """The density of N - 1 orthonormal contrasts, with the variance integrated numerically, up to a constant."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=5)
    contrasts = np.linalg.svd(np.ones((1, 5)))[2][1:]
    variances = np.exp(np.linspace(-9, 9, 4001))

    def numerically(covariance: np.ndarray) -> float:
        inner = contrasts @ covariance @ contrasts.T
        densities = [multivariate_normal.pdf(contrasts @ values, cov=each * inner) / each for each in variances]
        return float(np.log(np.trapezoid(densities, variances)))

    first, second = (np.cov(rng.normal(size=(5, 20))) + np.eye(5) for _ in range(2))
    ours = _restricted_likelihood(first, values)[0] - _restricted_likelihood(second, values)[0]
    assert ours == pytest.approx(numerically(first) - numerically(second), abs=1e-3)


def test_matern_by_hand() -> None:
    correlation = matern(*decayed(np.array([0.0, 1.0])))
    assert correlation[0] == 1.0
    assert correlation[1] == pytest.approx((1 + 5**0.5 + 5 / 3) * np.exp(-(5**0.5)))


def test_a_parameter_without_effect_keeps_a_long_scale() -> None:
    rng = np.random.default_rng(2)
    points = rng.random((60, 2))
    kernels = likely_kernels(points, np.arange(60), np.sin(6 * points[:, 0]) + 0.1 * rng.normal(size=60))
    first, second = np.median(kernels.lengths, axis=0)
    assert first < 1.5 < LENGTH[0] / 3 < second
    assert kernels.weight @ kernels.explained > 0.8


def test_pure_noise_is_taken_for_noise() -> None:
    rng = np.random.default_rng(3)
    which = np.append(np.arange(40), np.repeat(np.arange(5), 4))
    found = Posterior(rng.random((40, 3)), which, rng.normal(size=len(which)))
    assert found.noise == pytest.approx(1.0, abs=0.3)
    assert found.mean.std() < 0.4, "a flat function, whatever its share of the variance is"


def test_what_is_special_is_told_from_noise_by_further_trainings() -> None:
    rng = np.random.default_rng(4)
    true, which = rng.normal(size=30), np.append(np.arange(30), np.arange(10))
    kernels = likely_kernels(rng.random((30, 3)), which, true[which] + 0.1 * rng.normal(size=40))
    assert kernels.weight @ kernels.noise < 0.1
    assert kernels.weight @ kernels.special > 0.3


def test_weights_are_shares_and_none_decides_alone() -> None:
    rng = np.random.default_rng(5)
    kernels = likely_kernels(rng.random((25, 4)), np.arange(25), rng.normal(size=25))
    assert len(kernels) == KEPT
    assert kernels.weight.sum() == pytest.approx(1.0)
    assert kernels.weight.max() < 0.35
    assert (kernels.noise > 0).all()
    assert np.allclose(kernels.explained + kernels.special + kernels.noise, 1.0)


def test_a_coordinate_that_never_changes_is_no_problem() -> None:
    points = np.column_stack([np.linspace(0, 1, 12), np.full(12, -1.0)])
    kernels = likely_kernels(points, np.arange(12), points[:, 0] ** 2)
    assert np.isfinite(kernels.lengths).all()
