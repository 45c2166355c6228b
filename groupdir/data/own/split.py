"""Splits for data without splits: val and test are balanced over the labels, train keeps the long tail."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from groupdir.bins import bin_index
from groupdir.data.base import SplitName
from groupdir.data.own.grouped import grouped_split


@dataclass(frozen=True)
class SplitRule:
    """Rule that splits the rows of each label bin.

    Of the n rows of a bin, min(n // 3, most) are assigned to val, as many to test, and the remaining rows to train. If
    rows belong to groups, whole groups are assigned, and these numbers are met as closely as possible.

    Attributes:
        bin_width: Width of a label bin, in label units.
        most: Largest number of rows of a bin in val, and also in test.
        seed: Seed of the shuffle.
        target: Column of the labels.
        group: Column of the groups. None: every row is assigned by itself.

    Source: Yang et al. 2021, AgeDB-DIR, with most 30.

    Differences from the source: their shuffle depends on the order in which a folder lists its files. This shuffle
    depends only on the rows. Their data set has no groups: each of its test pictures shows a person of the training
    set.
    """

    bin_width: float
    most: int = 30
    seed: int = 666
    target: str = "target"
    group: str | None = None

    def split(self, keys: Sequence[str], y: np.ndarray, groups: Sequence[str] | None = None) -> tuple[SplitName, ...]:
        """Return the split of each row. It does not depend on the order of the rows.

        Args:
            keys: N keys that identify the rows. Rows with the same key must have the same label; they count as one row
                and get the same split.
            y: Labels (N,), in label units.
            groups: N groups, or None. Rows of one group get the same split.

        Example:
            >>> splits = SplitRule(bin_width=1).split([f"{k}.jpg" for k in range(8)], np.array([5.0] * 7 + [9.0]))
            >>> [splits.count(name) for name in ("train", "val", "test")]
            [4, 2, 2]
        """
        bins = bin_index(y, 0.0, self.bin_width).tolist()
        if groups is not None:
            counts = _counts_of_groups(dict(zip(keys, zip(groups, bins, strict=True), strict=True)))
            of_group = grouped_split(counts, self.most, self._lot)
            return tuple(of_group[group] for group in groups)
        members = defaultdict(set)
        for label_bin, key in zip(bins, keys, strict=True):
            members[label_bin].add(key)
        split_of: dict[str, SplitName] = {}
        for bin_keys in members.values():
            shuffled = sorted(bin_keys, key=self._lot)
            each = min(len(shuffled) // 3, self.most)
            split_of |= dict.fromkeys(shuffled, "train")
            split_of |= dict.fromkeys(shuffled[:each], "val")
            split_of |= dict.fromkeys(shuffled[each : 2 * each], "test")
        return tuple(split_of[key] for key in keys)

    def _lot(self, key: str) -> bytes:
        """Return the sort key of a row in the shuffle.

        A hash does not depend on the other rows, on a library or on the machine.
        """
        return hashlib.blake2b(f"{self.seed}\0{key}".encode(), digest_size=16).digest()


def _counts_of_groups(of_key: Mapping[str, tuple[str, int]]) -> dict[str, Counter[int]]:
    """Return group -> bin -> number of rows, from the group and the bin of each key."""
    counts: dict[str, Counter[int]] = defaultdict(Counter)
    for group, label_bin in of_key.values():
        counts[group][label_bin] += 1
    return counts
