"""Splits for data that come without: balanced in the labels for val and test, long-tailed for training."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from groupdir.bins import bin_index
from groupdir.data.base import SplitName
from groupdir.data.manifest import SPLITS
from groupdir.errors import DataError, FileWriteError
from groupdir.files.write_whole import whole_file

HEADER = ["row", "target", "split"]


@dataclass(frozen=True)
class SplitRule:
    """The field's rule: of the n rows of a label bin, min(n // 3, most) go to val, as many to test, the rest to train.

    Attributes:
        bin_width: Of a label bin, in label units.
        most: Rows of a bin in val, and in test.
        seed: Of the shuffle.

    Source: Yang et al. 2021, AgeDB-DIR, with most 30.

    Differences from the source: their shuffle depends on the order in which a folder lists its files; this one on the
    rows alone.
    """

    bin_width: float
    most: int = 30
    seed: int = 666

    def __str__(self) -> str:
        rule = f"min(n // 3, {self.most}) of the n rows of each bin of {self.bin_width:g}"
        return f"# groupdir: val and test have {rule}; seed {self.seed}"

    def split(self, keys: Sequence[str], y: np.ndarray) -> tuple[SplitName, ...]:
        """The split of each row, the same for every order of the rows.

        Args:
            keys: What tells N rows apart; rows with one key have one label, count as one and stay together.
            y: (N,) labels, in label units.

        Example:
            >>> found = SplitRule(bin_width=1).split([f"{k}.jpg" for k in range(8)], np.array([5.0] * 7 + [9.0]))
            >>> [found.count(name) for name in ("train", "val", "test")]
            [4, 2, 2]
        """
        members = defaultdict(set)
        for label_bin, key in zip(bin_index(y, 0.0, self.bin_width).tolist(), keys, strict=True):
            members[label_bin].add(key)
        found: dict[str, SplitName] = {}
        for bin_keys in members.values():
            shuffled = sorted(bin_keys, key=self._lot)
            each = min(len(shuffled) // 3, self.most)
            found |= dict.fromkeys(shuffled, "train")
            found |= dict.fromkeys(shuffled[:each], "val")
            found |= dict.fromkeys(shuffled[each : 2 * each], "test")
        return tuple(found[key] for key in keys)

    def _lot(self, key: str) -> bytes:
        """A row's place in the shuffle: a hash, so that it depends on no other row, on no library and no machine."""
        return hashlib.blake2b(f"{self.seed}\0{key}".encode(), digest_size=16).digest()


def split_file(manifest: Path) -> Path:
    """Where a manifest's split is written.

    >>> split_file(Path("data/faces.csv")).as_posix()
    'data/faces.split.csv'
    """
    return manifest.with_name(f"{manifest.stem}.split.csv")


def own_split(manifest: Path, keys: Sequence[str], y: np.ndarray, rule: SplitRule) -> tuple[SplitName, ...]:
    """The split beside a manifest, made at the first call and read at all others.

    Args:
        manifest: The file without a split.
        keys: What tells its N rows apart, as of `SplitRule.split`.
        y: (N,) float32 labels.
        rule: How to split.

    Raises:
        DataError: The split beside the manifest is of other rows, labels or options, or broken; it cannot be written;
            or no bin has three rows, so that val would be empty.
    """
    path = split_file(manifest)
    rows = dict(zip(keys, map(str, y.tolist()), strict=True))
    if path.exists():
        made_by, found = _read(path)
        _check_same(path, rows, {key: target for key, (target, _) in found.items()})
        _check_rule(path, str(rule), made_by)
        return tuple(found[key][1] for key in keys)
    splits = rule.split(keys, y)
    if "val" not in splits:
        raise DataError(
            f"{manifest}: a split needs 3 rows in some label bin, but no bin of {rule.bin_width:g} has them: set "
            "data.bin_width to a larger one, or add a column with train, val and test"
        )
    of_key = dict(zip(keys, splits, strict=True))
    _write(path, rule, [(key, target, of_key[key]) for key, target in rows.items()])
    return splits


def _check_same(path: Path, rows: dict[str, str], written: dict[str, str]) -> None:
    """Refuses a split of other rows than the manifest's."""
    new, gone = sorted(rows.keys() - written.keys()), sorted(written.keys() - rows.keys())
    changed = sorted(key for key in rows.keys() & written.keys() if rows[key] != written[key])
    kinds = {"not in it": new, "no longer in the manifest": gone, "with another target": changed}
    told = [f"{len(keys)} {kind} (such as {keys[0]})" for kind, keys in kinds.items() if keys]
    if told:
        raise DataError(
            f"{path}: must be the split of the manifest beside it, got {', '.join(told)}: the manifest has changed "
            "since; put it back, or delete this file to have it split anew (results before and after do not compare)"
        )


def _check_rule(path: Path, rule: str, made_by: str) -> None:
    if made_by != rule:
        raise DataError(
            f"{path}:1: must be a split by the options of the section data, {rule!r}, got {made_by!r}: set "
            "data.bin_width, split_most and split_seed to these, or delete this file to have it split anew"
        )


def _read(path: Path) -> tuple[str, dict[str, tuple[str, SplitName]]]:
    """The rule that made a split, and target and split of each row."""
    try:
        first, _, rest = path.read_bytes().decode().partition("\n")
        header, *lines = list(csv.reader(io.StringIO(rest, newline=""), strict=True))
        if header != HEADER or not first.startswith("#"):
            raise ValueError(f"its header must be {','.join(HEADER)} below a comment")
        found = {key: (target, SPLITS[split]) for key, target, split in lines}
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, csv.Error) as error:
        raise DataError(f"{path}: is no split that groupdir wrote, or is broken: {error}: delete it") from error
    return first, found


def _write(path: Path, rule: SplitRule, rows: Sequence[tuple[str, str, SplitName]]) -> None:
    try:
        with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
            file.write(f"{rule}\n")
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(HEADER)
            writer.writerows(rows)
    except FileWriteError as error:
        todo = "or add a column with train, val and test to the manifest"
        raise FileWriteError(f"{error}; {todo}", error.disk_full) from error
