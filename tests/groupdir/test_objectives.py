"""Which objectives tell configurations apart."""

import numpy as np
import pytest

from groupdir.objectives import telling

X = np.array([3.0, 1.0, 4.0, 1.5, 9.0])


@pytest.mark.parametrize(
    ("other", "kept"),
    [
        (np.full(5, 7.0), [0]),
        (np.full(5, 0.0), [0]),
        (np.array([0.3, 0.1 + 0.2, 0.3, 0.3, 0.3]), [0]),  # constant but for a rounding error
        (2 * X + 1, [0]),
        (0.1 * X - 1e6, [0]),
        (X * 1e-300, [0]),
        (-X, [0, 1]),  # the opposite aim is no copy
        (X**2, [0, 1]),
        (X + 1e-6 * (X == 9.0), [0, 1]),
    ],
)
def test_constants_and_increasing_affine_copies_tell_nothing(other: np.ndarray, kept: list[int]) -> None:
    assert telling(np.column_stack([X, other])) == kept
    assert len(telling(np.column_stack([other, X]))) == len(kept)


def test_rows_that_are_not_finite_do_not_count() -> None:
    assert telling([[1.0, 5.0], [2.0, 5.0], [np.nan, 9.0], [3.0, np.inf]]) == [0]


def test_one_column_is_always_kept() -> None:
    assert telling([[1.0, 2.0], [1.0, 2.0]]) == [0]
    assert telling(np.empty((0, 3))) == [0]
    assert telling(np.empty((4, 0))) == []


def test_huge_values_do_not_overflow() -> None:
    assert telling([[-1e308, 0.0], [1e308, 1.0], [0.0, 0.7]]) == [0, 1]
