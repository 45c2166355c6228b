"""Splits for data without one: the field's rule, the file that keeps them, and what is refused."""

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupdir.data.own.split import SplitRule, own_split, split_file
from groupdir.errors import DataError

RULE = SplitRule(bin_width=1)
KEYS = [f"é {k}.jpg" for k in range(200)]
Y = np.array([3.0] * 120 + [5.5] * 60 + [-2.0] * 14 + [9.0] * 4 + [70.0] * 2, dtype=np.float32)


def test_the_rule_by_a_slow_reference() -> None:
    counts = Counter(zip(Y.tolist(), RULE.split(KEYS, Y), strict=True))
    for label, n in Counter(Y.tolist()).items():
        each = min(n // 3, 30)
        assert [counts[label, name] for name in ("train", "val", "test")] == [n - 2 * each, each, each]


@given(st.permutations(range(60)), st.integers(0, 5))
def test_the_order_of_rows_does_not_matter(order: list[int], seed: int) -> None:
    rule = SplitRule(2.0, 5, seed)
    keys, y = KEYS[90:150], Y[90:150]
    found = rule.split(keys, y)
    assert rule.split([keys[k] for k in order], y[order]) == tuple(found[k] for k in order)


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


def test_the_file_is_written_once_and_read_again(tmp_path: Path) -> None:
    manifest = tmp_path / "faces.v2.csv"
    found = own_split(manifest, KEYS, Y, RULE)
    path = split_file(manifest)
    assert [file.name for file in tmp_path.iterdir()] == ["faces.v2.split.csv"]
    lines = path.read_text(encoding="utf-8").split("\n")
    assert lines[:3] == [str(RULE), "row,target,split", f"é 0.jpg,3.0,{found[0]}"]
    before = path.stat().st_mtime_ns
    assert own_split(manifest, KEYS[::-1], Y[::-1], RULE) == found[::-1]
    assert path.stat().st_mtime_ns == before


def test_each_seed_has_its_own_file(tmp_path: Path) -> None:
    manifest = tmp_path / "faces.csv"
    first, second = (own_split(manifest, KEYS, Y, SplitRule(RULE.bin_width, RULE.most, seed)) for seed in (666, 7))
    assert first != second
    assert {file.name for file in tmp_path.iterdir()} == {"faces.split.csv", "faces.split-7.csv"}
    assert own_split(manifest, KEYS, Y, RULE) == first, "the first split is still there"


def changed(tmp_path: Path, keys: list[str], y: np.ndarray, rule: SplitRule = RULE) -> str:
    with pytest.raises(DataError) as error:
        own_split(tmp_path / "faces.csv", keys, y, rule)
    assert str(error.value).startswith(f"{tmp_path}/faces.split.csv:")
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_manifest_that_changed_is_refused(tmp_path: Path) -> None:
    own_split(tmp_path / "faces.csv", KEYS, Y, RULE)
    assert "1 not in this file (such as new)" in changed(tmp_path, [*KEYS, "new"], np.append(Y, np.float32(1)))
    assert "199 no longer in the manifest (such as é 0.jpg)" in changed(tmp_path, KEYS[1:2], Y[1:2])
    assert "200 with another target (such as é 0.jpg)" in changed(tmp_path, KEYS, Y + np.float32(0.1))
    says = changed(tmp_path, KEYS, Y, SplitRule(1, 20))
    assert "min(n // 3, 20)" in says
    assert "', got '# groupdir: " in says
    assert "delete this file to split again" in says


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"row,target,split\n",
        b"# groupdir\nrow,target\n",
        b"# groupdir\nrow,target,split\na,1\n",
        b"# groupdir\nrow,target,split\na,1,no\n",
        b"# groupdir\nrow,target,split\na,\xff,val\n",
        b'# groupdir\nrow,target,split\na,"1,val\n',
    ],
)
def test_a_broken_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "faces.split.csv").write_bytes(content)
    assert "is not a split file of groupdir, or is broken" in changed(tmp_path, KEYS, Y)


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    says = changed(tmp_path, KEYS, Y)
    assert "is read-only for this user: make it writable" in says
    assert "add a column with train, val and test" in says
    assert not os.listdir(tmp_path)  # noqa: PTH208 - nothing half written is left


def test_bins_too_small_for_a_split(tmp_path: Path) -> None:
    y = np.arange(6, dtype=np.float32)
    with pytest.raises(DataError, match=r"faces\.csv: a split needs 3 rows in some label bin.*larger one") as error:
        own_split(tmp_path / "faces.csv", KEYS[:6], y, SplitRule(0.5))
    assert "no bin of width 0.5 has them" in str(error.value)
    assert set(own_split(tmp_path / "faces.csv", KEYS[:6], y, SplitRule(3.0))) == {"train", "val", "test"}
