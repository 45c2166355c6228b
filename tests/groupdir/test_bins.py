"""Bins and edges: decimal numbers are meant as written, in float32 and float64 alike."""

from decimal import Decimal

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from groupdir.bins import as_array, bin_index, bins_between, even_edges, finite_labels

WIDTHS = ["0.1", "0.2", "0.25", "1", "2.5", "0.3", "0.01", "7", "0.3333333333333333"]


@given(st.sampled_from(WIDTHS), st.integers(-50, 50), st.integers(0, 3000))
def test_edges_are_correctly_rounded_decimals(width: str, tenths: int, index: int) -> None:
    low = Decimal(tenths) / 10
    expected = float(low + Decimal(width) * index)
    assert even_edges(float(low), float(width), [index])[0] == expected


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("width", ["0.1", "0.2", "0.25", "1"])
def test_a_label_on_an_edge_opens_its_bin(dtype: type, width: str) -> None:
    index = np.arange(50)
    labels = np.array([float(Decimal(width) * int(k)) for k in index]).astype(dtype)
    np.testing.assert_array_equal(bin_index(labels, 0.0, float(width)), index)
    below = np.nextafter(labels, np.array(-1, dtype=dtype))
    np.testing.assert_array_equal(bin_index(below, 0.0, float(width)), index - 1)


@given(st.lists(st.floats(-30, 130, width=32), min_size=1, max_size=50), st.sampled_from([0.1, 0.7, 1.0, 2.5]))
def test_the_bin_is_the_last_edge_that_is_not_above(labels: list[float], width: float) -> None:
    y = np.array(labels, dtype=np.float32)
    edges = even_edges(-40.0, width, np.arange(2000)).astype(np.float32)
    expected = [int(np.flatnonzero(edges <= value)[-1]) for value in y]
    assert bin_index(y, -40.0, width).tolist() == expected


def test_bins_are_endless_or_clamped() -> None:
    y = np.array([-3.5, -0.5, 0.0, 4.9, 5.0, 99.0])
    assert bin_index(y, 0.0, 1.0).tolist() == [-4, -1, 0, 4, 5, 99]
    assert bin_index(y, 0.0, 1.0, bins=5).tolist() == [0, 0, 0, 4, 4, 4]
    assert bin_index(np.array([], dtype=np.float32), 0.0, 1.0).shape == (0,)
    assert bin_index(np.array([3, 7]), 0.0, 0.5).tolist() == [6, 14]


def test_how_many_bins() -> None:
    assert bins_between(0.0, 5.0, 0.1) == 50
    assert bins_between(0.0, 121.0, 1.0) == 121
    assert bins_between(0.0, 1.0, 0.3) == 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bin_index(np.ones(2), 0.0, 0.0), "bin_width must be > 0"),
        (lambda: bin_index(np.ones(2), 0.0, 1.0, bins=0), "bins must be >= 1, got 0"),
        (lambda: bin_index(np.array([1.0, np.nan, np.inf]), 0.0, 1.0), "got 2 NaN or infinite among 3"),
        (lambda: bin_index(np.array([1e30]), 0.0, 1.0), "more than 2\\^53 bins"),
        (lambda: finite_labels(np.array(["a"])), "must be real numbers"),
        (lambda: even_edges(float("nan"), 1.0, [0]), "must be finite"),
        (lambda: bins_between(1.0, 1.0, 0.1), "low < high"),
        (lambda: bins_between(0.0, 1.0, -0.1), "bin_width > 0"),
    ],
)
def test_mistakes_are_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


def test_tensors_become_arrays() -> None:
    z = torch.tensor([1.5, 2.0], requires_grad=True)
    assert as_array(z).dtype == np.float32
    assert as_array(z.bfloat16()).tolist() == [1.5, 2.0]
    assert as_array(torch.tensor([1, 2])).dtype == np.int64
    assert as_array([1, 2]).tolist() == [1, 2]
