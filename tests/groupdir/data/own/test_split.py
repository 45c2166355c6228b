"""The rule of splits for data without one: counts of each bin, groups that stay whole, and what moves nothing."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupdir.data.own.split import SplitRule
from groupdir.errors import DataError

RULE = SplitRule(bin_width=1)
KEYS = [f"é {k}.jpg" for k in range(200)]
Y = np.array([3.0] * 120 + [5.5] * 60 + [-2.0] * 14 + [9.0] * 4 + [70.0] * 2, dtype=np.float32)
NAMES = ("train", "val", "test")


def test_the_rule_by_a_slow_reference() -> None:
    counts = Counter(zip(Y.tolist(), RULE.split(KEYS, Y), strict=True))
    for label, n in Counter(Y.tolist()).items():
        each = min(n // 3, 30)
        assert [counts[label, name] for name in NAMES] == [n - 2 * each, each, each]


@given(st.permutations(range(60)), st.integers(0, 5), st.booleans())
def test_the_order_of_rows_does_not_matter(order: list[int], seed: int, grouped: bool) -> None:
    rule = SplitRule(2.0, 5, seed)
    keys, y = KEYS[90:150], Y[90:150]
    groups = [f"person {k // 3}" for k in range(60)] if grouped else None
    found = rule.split(keys, y, groups)
    mixed = None if groups is None else [groups[k] for k in order]
    assert rule.split([keys[k] for k in order], y[order], mixed) == tuple(found[k] for k in order)


def test_seeds_differ_and_a_new_row_moves_few() -> None:
    first, other = RULE.split(KEYS, Y), SplitRule(1, seed=1).split(KEYS, Y)
    assert Counter(first) == Counter(other)
    assert first != other
    more = RULE.split([*KEYS, "new"], np.append(Y, np.float32(5.5)))
    assert sum(a != b for a, b in zip(first, more, strict=False)) <= 2


def test_rows_that_are_the_same_stay_together() -> None:
    keys = ["a", "a", "a", "b", "c"]
    found = RULE.split(keys, np.full(5, 4.0))
    assert len(set(found[:3])) == 1
    assert sorted(dict(zip(keys, found, strict=True)).values()) == ["test", "train", "val"]


def test_groups_of_one_row_are_split_as_rows_are() -> None:
    groups = [f"person {k}" for k in range(200)]
    found = RULE.split(KEYS, Y, groups)
    counts = Counter(zip(Y.tolist(), found, strict=True))
    for label, n in Counter(Y.tolist()).items():
        each = min(n // 3, 30)
        assert [counts[label, name] for name in NAMES] == [n - 2 * each, each, each], label


def people(seed: int, count: int) -> tuple[list[str], np.ndarray]:
    """Ages of people with 1 to 40 pictures each, most of them near the age of the person."""
    rng = np.random.default_rng(seed)
    sizes = rng.geometric(0.12, count).clip(1, 40)
    groups = [f"p{k}" for k, size in enumerate(sizes) for _ in range(size)]
    centers = np.repeat(rng.gamma(4, 9, count), sizes)
    return groups, (centers + rng.normal(0, 8, len(groups))).clip(1, 100).round().astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_groups_stay_whole_and_the_bins_are_nearly_met(seed: int) -> None:
    groups, y = people(seed, 400)
    keys = [f"{k}.jpg" for k in range(len(y))]
    rule = SplitRule(5, 30, seed)
    found = rule.split(keys, y, groups)
    assert len({*zip(groups, found, strict=True)}) == len(set(groups))
    by_rows = Counter(zip((y // 5).tolist(), rule.split(keys, y), strict=True))
    by_groups = Counter(zip((y // 5).tolist(), found, strict=True))
    missed = sum(abs(by_rows[key] - by_groups[key]) for key in by_rows.keys() | by_groups.keys())
    shuffled = np.random.default_rng(seed).permutation(len(y))
    at_random = Counter(zip((y // 5).tolist(), [found[k] for k in shuffled], strict=True))
    missed_at_random = sum(abs(by_rows[key] - at_random[key]) for key in by_rows.keys() | at_random.keys())
    assert missed < 0.5 * missed_at_random
    assert missed < 0.12 * len(y)


def test_the_seed_decides_which_groups_are_tested_although_all_have_other_sizes() -> None:
    groups, y = people(0, 300)
    keys = [f"{k}.jpg" for k in range(len(y))]
    tested = []
    for seed in range(3):
        found = SplitRule(5, 30, seed).split(keys, y, groups)
        tested.append({group for group, split in zip(groups, found, strict=True) if split == "test"})
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert len(tested[first] & tested[second]) < 0.7 * len(tested[first])


def test_few_and_large_groups_leave_no_split_empty() -> None:
    y = np.full(300, 4.0)
    found = RULE.split([str(k) for k in range(300)], y, [f"site {k // 100}" for k in range(300)])
    assert Counter(found) == {"train": 100, "val": 100, "test": 100}
    with pytest.raises(DataError, match="needs at least 3 groups, got 2"):
        RULE.split([str(k) for k in range(4)], np.full(4, 4.0), ["a", "a", "b", "b"])
