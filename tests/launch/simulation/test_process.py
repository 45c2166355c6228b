"""The Gaussian process of the interpolated source."""

import numpy as np
import pytest

from launch.simulation.process import Process


def test_left_out_is_a_fit_without_that_point() -> None:
    rng = np.random.default_rng(1)
    points, targets = rng.random((20, 2)), rng.standard_normal(20)
    targets = (targets - targets.mean()) / targets.std()  # so that leaving one out changes no units
    process = Process(points, targets)
    found = process.left_out()
    rest = np.arange(20) != 7
    kernel = process.kernel
    inner = kernel(points[rest])
    expected = kernel(points[7:8], points[rest]) @ np.linalg.solve(inner, targets[rest])
    assert found[7] == pytest.approx(float(expected[0]), abs=1e-6)
