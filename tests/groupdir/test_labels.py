"""Groups, soft labels and sample weights, against plain loops and the published counts."""

import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from groupdir.labels import LDS, LabelGroups, sample_weights, soft_labels

RANGES = st.tuples(st.integers(-20, 20), st.integers(1, 120), st.integers(1, 60))


@pytest.fixture(scope="module")
def agedb_train(shared_data: Path) -> np.ndarray:
    rows = [line.split(",") for line in (shared_data / "agedb-dir" / "agedb.csv").read_text("utf-8").splitlines()[1:]]
    return np.array([float(row[0]) for row in rows if row[-1] == "train"], dtype=np.float32)


@pytest.mark.parametrize(
    ("groups", "counts"),
    [(5, [231, 4913, 4609, 2244, 211]), (10, [24, 207, 1901, 3012, 2564, 2045, 1451, 793, 172, 39])],
)
def test_agedb_has_the_published_group_counts(agedb_train: np.ndarray, groups: int, counts: list[int]) -> None:
    assert np.bincount(LabelGroups.equal_width(0, 100, groups).assign(agedb_train)).tolist() == counts


def test_agedb_tail_groups_under_the_integer_rule(agedb_train: np.ndarray) -> None:
    fifteen, forty = LabelGroups.integer_width(0, 100, 15), LabelGroups.integer_width(0, 100, 40)
    assert fifteen.bounds[-2:] == (84.0, 100.0)
    assert forty.bounds[-2:] == (78.0, 100.0)
    assert int((forty.assign(agedb_train) == 39).sum()) == 283


@pytest.mark.parametrize("groups", [1, 2, 3, 7, 10, 15, 20, 25, 33, 40, 50, 100])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("low", "high"), [(0, 5), (0, 100), (-1.3, 2.9)])
def test_every_edge_belongs_to_the_group_it_opens(low: float, high: float, groups: int, dtype: torch.dtype) -> None:
    made = LabelGroups.equal_width(low, high, groups)
    start, width = Decimal(str(low)), (Decimal(str(high)) - Decimal(str(low))) / groups
    edges = torch.tensor([float(start + width * k) for k in range(groups + 1)], dtype=torch.float64).to(dtype)
    expected = [*range(groups), groups - 1]
    assert made.assign(edges).tolist() == expected
    assert made.assign(edges.numpy()).tolist() == expected
    below = torch.nextafter(edges, torch.tensor(-math.inf, dtype=dtype))
    assert made.assign(below).tolist() == [0, *range(groups)]


def test_the_labels_that_float32_division_misplaces() -> None:
    groups = LabelGroups.equal_width(0, 5, 25)
    for dtype in (torch.float32, torch.float64):
        assert groups.assign(torch.tensor([2.6, 4.2], dtype=dtype)).tolist() == [13, 21]
    assert groups.assign(torch.tensor([2.6], dtype=torch.bfloat16)).tolist() == [13]
    assert groups.assign(torch.tensor([2, 5])).tolist() == [10, 24]
    assert groups.assign(np.array([2, 5])).tolist() == [10, 24]


@given(RANGES, st.lists(st.floats(-1e6, 1e6, width=32), max_size=40))
def test_groups_are_in_range_and_ascend_with_the_label(cut: tuple[int, int, int], labels: list[float]) -> None:
    low, width, groups = cut
    made = LabelGroups.equal_width(low, low + width, groups)
    y = torch.tensor(sorted(labels), dtype=torch.float32)
    group = made.assign(y)
    assert group.dtype == torch.int64
    assert group.shape == y.shape
    assert all(0 <= g < groups for g in group.tolist())
    assert group.tolist() == sorted(group.tolist())


def test_attributes_of_groups() -> None:
    groups = LabelGroups.equal_width(0, 100, 4)
    assert (groups.groups, groups.low, groups.high) == (4, 0.0, 100.0)
    assert groups.edges.tolist() == [0, 25, 50, 75, 100]
    assert groups.centers.tolist() == [12.5, 37.5, 62.5, 87.5]
    assert groups.edges.dtype == groups.centers.dtype == torch.float64
    assert groups == LabelGroups.equal_width(0.0, 100.0, 4)
    with pytest.raises(AttributeError):
        groups.bounds = (0.0, 1.0)  # type: ignore[misc]


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=80).map(lambda ages: np.array(ages, dtype=np.float32)),
    st.integers(1, 12),
)
def test_equal_frequency_follows_the_cumulative_fraction(y: np.ndarray, groups: int) -> None:
    made = LabelGroups.equal_frequency(y, groups, 0, 31)
    expected = [max(round(groups * int((y <= value).sum()) / len(y)) - 1, 0) for value in y]
    assert made.groups == groups
    assert made.assign(y).tolist() == expected
    assert LabelGroups.equal_frequency(torch.from_numpy(y), groups, 0, 31) == made


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LabelGroups.equal_width(0, 5, 0), "groups must be >= 1, got 0"),
        (lambda: LabelGroups.equal_width(5, 5, 2), "low < high"),
        (lambda: LabelGroups.equal_width(0, math.nan, 2), "low < high"),
        (lambda: LabelGroups.integer_width(0, 5, 10), "width of at least 1, got 10"),
        (lambda: LabelGroups.equal_frequency(np.array([]), 3, 0, 5), "at least one label"),
        (lambda: LabelGroups((1.0, 0.0)), "must ascend"),
        (lambda: LabelGroups((1.0,)), "at least two"),
        (lambda: LabelGroups.equal_width(0, 5, 5).assign(torch.tensor([1.0, math.nan, math.inf])), "got 2 NaN"),
        (lambda: LabelGroups.equal_width(0, 5, 5).assign(np.array([math.nan])), "got 1 NaN"),
        (lambda: soft_labels(torch.tensor([0]), 0, 1.0), "groups must be >= 1"),
        (lambda: soft_labels(torch.tensor([0]), 3, 0.0), "beta must be > 0"),
        (lambda: soft_labels(torch.tensor([3]), 3, 1.0), r"must lie in \[0, 3\), got 3..3"),
        (lambda: soft_labels(torch.tensor([-1]), 3, 1.0), r"must lie in \[0, 3\), got -1..-1"),
        (lambda: soft_labels(torch.tensor([0.0]), 3, 1.0), "whole numbers"),
        (lambda: LDS("gaussian", 4), "odd and >= 1, got 4"),
        (lambda: LDS("gaussian", 5, 0.0), "sigma must be > 0"),
        (lambda: LDS("box", 5), "got 'box'"),  # type: ignore[arg-type]
        (lambda: sample_weights(np.ones(3), bin_width=1, mode="none"), "unknown sample-weight mode 'none'"),
        (lambda: sample_weights(np.ones(0), bin_width=1, mode="inverse"), "N >= 1"),
        (lambda: sample_weights(np.ones(3), bin_width=0, mode="inverse"), "bin_width must be > 0"),
        (lambda: sample_weights(np.ones(3), bin_width=0, mode="inverse", high=5.0), "bin_width > 0 must hold"),
        (
            lambda: sample_weights(np.ones(3), bin_width=1, mode="sqrt_inverse", clip=(5, 1000)),
            "mode sqrt_inverse: clip: unknown key",
        ),
        (
            lambda: sample_weights(np.ones(3), bin_width=1, mode="inverse", clip=(0, 2)),
            "mode inverse: clip: must be .* 0 < least <= most",
        ),
        (lambda: sample_weights(np.array([1.0, np.nan]), bin_width=1, mode="inverse"), "got 1 NaN"),
        (lambda: sample_weights(np.array([1e9]), bin_width=1, mode="inverse"), "more than 10 million bins"),
    ],
)
def test_mistakes_are_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]


@given(st.integers(1, 60), st.floats(0.01, 30), st.data())
def test_soft_labels_are_a_softmax_of_distances(groups: int, beta: float, data: st.DataObject) -> None:
    group = data.draw(st.lists(st.integers(0, groups - 1), min_size=1, max_size=8))
    label = soft_labels(torch.tensor(group), groups, beta, dtype=torch.float64)
    for row, g in zip(label.tolist(), group, strict=True):
        mass = [math.exp(-beta * abs(k - g)) for k in range(groups)]
        assert row == pytest.approx([m / sum(mass) for m in mass], rel=1e-12)
    single = soft_labels(torch.tensor(group), groups, beta)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.sum(1), torch.ones(len(group)))
    mirrored = soft_labels(groups - 1 - torch.tensor(group), groups, beta, dtype=torch.float64)
    torch.testing.assert_close(mirrored, label.flip(1))


@pytest.mark.parametrize(
    ("groups", "beta", "peak"), [(5, 1.0, 0.50), (25, 1.0, 0.46), (25, 0.5, 0.25), (25, 2.0, 0.76)]
)
def test_the_mass_at_the_peak(groups: int, beta: float, peak: float) -> None:
    middle = groups // 2
    assert float(soft_labels(torch.tensor([middle]), groups, beta)[0, middle]) == pytest.approx(peak, abs=0.01)


def test_soft_labels_of_one_group_and_of_none() -> None:
    assert soft_labels(torch.tensor([0, 0]), 1, 1.0).tolist() == [[1.0], [1.0]]
    assert soft_labels(torch.zeros(0, dtype=torch.long), 4, 1.0).shape == (0, 4)
    assert soft_labels(torch.tensor([1]), 4, 1.0, dtype=torch.bfloat16).dtype == torch.bfloat16


def test_windows_are_the_published_ones() -> None:
    assert LDS("gaussian", 5, 2).window() == pytest.approx([0.858, 0.946, 1, 0.946, 0.858], abs=5e-4)
    assert LDS("triangular", 5).window() == pytest.approx([1 / 3, 2 / 3, 1, 2 / 3, 1 / 3])
    assert LDS("laplace", 3, 2).window() == pytest.approx([math.exp(-0.5), 1, math.exp(-0.5)])
    for kernel in ("gaussian", "triangular", "laplace"):
        assert LDS(kernel, 1).window().tolist() == [1.0]  # type: ignore[arg-type]


def weights_by_loops(y: np.ndarray, bins: int, mode: str, lds: LDS | None, clip: tuple[int, int] | None) -> list[float]:
    """Whole-numbered labels, bins of 1, the definition word by word."""
    count = [float(sum(int(v) == b for v in y)) for b in range(bins)]
    count = [math.sqrt(c) if mode == "sqrt_inverse" else min(max(c, clip[0]), clip[1]) if clip else c for c in count]
    if lds is not None:
        window, half = lds.window(), lds.size // 2
        padded = dict(enumerate(count))
        count = [sum(window[half + s] * padded.get(b + s, 0.0) for s in range(-half, half + 1)) for b in range(bins)]
    weight = [1 / count[int(v)] for v in y]
    return [w * len(y) / sum(weight) for w in weight]


@given(
    arrays(np.float32, st.integers(1, 60), elements=st.integers(0, 9).map(float)),
    st.sampled_from(["inverse", "sqrt_inverse"]),
    st.sampled_from([None, LDS("gaussian", 5, 2), LDS("triangular", 3), LDS("laplace", 15, 1.5)]),
    st.sampled_from([None, (2, 6)]),
)
def test_weights_are_the_definition(y: np.ndarray, mode: str, lds: LDS | None, clip: tuple[int, int] | None) -> None:
    clip = clip if mode == "inverse" else None
    weight = sample_weights(y, bin_width=1, mode=mode, lds=lds, high=12, clip=clip)
    assert weight.dtype == np.float32
    assert weight == pytest.approx(weights_by_loops(y, 12, mode, lds, clip), rel=1e-5)
    assert weight.mean() == pytest.approx(1, rel=1e-5)
    tensor = sample_weights(torch.from_numpy(y), bin_width=1, mode=mode, lds=lds, high=12, clip=clip)
    assert isinstance(tensor, torch.Tensor)
    assert tensor.tolist() == weight.tolist()


def test_counts_are_smoothed_as_floats_not_truncated() -> None:
    weight = sample_weights(np.array([0.0, 1.0, 1.0]), bin_width=1, mode="inverse", lds=LDS("gaussian", 3, 1))
    side = LDS("gaussian", 3, 1).window()[0]
    assert weight[0] / weight[1] == pytest.approx((2 + side) / (1 + 2 * side), rel=1e-6)


def test_the_last_bin_takes_what_lies_above_and_the_first_what_lies_below() -> None:
    weight = sample_weights(np.array([4.95, 5.0, 7.0, -1.0, 0.05, 2.0]), bin_width=0.1, mode="inverse", high=5.0)
    assert weight == pytest.approx(np.array([1 / 3, 1 / 3, 1 / 3, 1 / 2, 1 / 2, 1]) * 2, rel=1e-6)


def test_weights_of_float32_labels_on_edges() -> None:
    y = np.repeat(np.arange(50) / 10, 2).astype(np.float32)
    assert sample_weights(y, bin_width=0.1, mode="inverse") == pytest.approx(np.ones(100))


def test_a_part_of_a_group_is_refused() -> None:
    with pytest.raises(ValueError, match=r"groups must be a whole number, got 2\.5"):
        LabelGroups.equal_width(0, 100, 2.5)  # type: ignore[arg-type]
