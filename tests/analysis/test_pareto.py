import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analysis.pareto import hypervolume, pareto_front

# Few distinct values, so that ties, duplicates and dominated points are common.
VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.0, 1e300, np.inf, -np.inf, np.nan])
SHAPES = st.tuples(st.integers(0, 12), st.integers(1, 5))


def front_by_hand(costs: npt.NDArray[np.float64]) -> list[bool]:
    def dominates(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> bool:
        return not np.isnan(a).any() and bool((a <= b).all() and (a < b).any())

    return [not np.isnan(point).any() and not any(dominates(other, point) for other in costs) for point in costs]


@given(SHAPES.flatmap(lambda shape: arrays(np.float64, shape, elements=VALUES)))
def test_front_is_what_no_point_dominates(costs: npt.NDArray[np.float64]) -> None:
    assert pareto_front(costs).tolist() == front_by_hand(costs)


@given(st.tuples(st.integers(1, 60), st.integers(1, 6)), st.integers(0, 2**32 - 1))
def test_front_of_many_distinct_points(shape: tuple[int, int], seed: int) -> None:
    costs = np.random.default_rng(seed).normal(size=shape).round(1)
    assert pareto_front(costs).tolist() == front_by_hand(costs)


def test_equal_points_are_all_on_the_front() -> None:
    assert pareto_front([[1, 2], [1, 2], [2, 1], [2, 2]]).tolist() == [True, True, True, False]


def test_infinities_compare_as_numbers() -> None:
    costs = [[1, np.inf, 2], [np.inf, 1, 2], [np.inf, np.inf, 1], [np.inf, np.inf, np.inf]]
    assert pareto_front(costs).tolist() == [True, True, True, False]


def test_no_points_and_wrong_shapes() -> None:
    front = pareto_front(np.empty((0, 3)))
    assert front.shape == (0,)
    assert front.dtype == bool
    assert pareto_front([[np.nan, 0.0]]).tolist() == [False]
    for bad in ([1.0, 2.0], np.zeros((2, 2, 2)), np.zeros((3, 0))):
        with pytest.raises(ValueError, match=r"shape \(n, m\)"):
            pareto_front(bad)


@given(st.integers(0, 10), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_hypervolume_counts_the_dominated_cells_of_a_grid(points: int, objectives: int, seed: int) -> None:
    costs = np.random.default_rng(seed).integers(0, 7, size=(points, objectives))
    reference = np.full(objectives, 5)
    cells = itertools.product(range(5), repeat=objectives)
    expected = sum(bool((costs <= np.array(cell)).all(axis=1).any()) for cell in cells)
    assert hypervolume(costs, reference) == pytest.approx(expected)


def test_hypervolume_at_the_edges() -> None:
    assert hypervolume(np.empty((0, 2)), [1, 1]) == 0.0
    assert hypervolume([[2, 0], [1, 0], [np.nan, 0], [np.inf, 0]], [1, 1]) == 0.0
    assert hypervolume([[0, 0], [np.nan, -5], [-9, 2]], [1, 1]) == 1.0
    assert hypervolume([[-np.inf, 0]], [1, 1]) == np.inf
    assert hypervolume([[-np.inf, 1]], [1, 1]) == 0.0
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        hypervolume([[0, 0]], [1, 1, 1])
    with pytest.raises(ValueError, match="finite"):
        hypervolume([[0, 0]], [1, np.inf])
