"""Splits for data without splits: val and test are balanced over the labels, train keeps the long tail."""

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
    """Rule that splits the rows of each label bin.

    Of the n rows of a bin, min(n // 3, most) are assigned to val, as many to test, and the remaining rows to train.

    Attributes:
        bin_width: Width of a label bin, in label units.
        most: Largest number of rows of a bin in val, and also in test.
        seed: Seed of the shuffle.

    Source: Yang et al. 2021, AgeDB-DIR, with most 30.

    Differences from the source: their shuffle depends on the order in which a folder lists its files. This shuffle
    depends only on the rows.
    """

    bin_width: float
    most: int = 30
    seed: int = 666

    def __str__(self) -> str:
        rule = f"min(n // 3, {self.most}) of the n rows of each bin of {self.bin_width:g}"
        return f"# groupdir: val and test have {rule}; seed {self.seed}"

    def split(self, keys: Sequence[str], y: np.ndarray) -> tuple[SplitName, ...]:
        """Return the split of each row. It does not depend on the order of the rows.

        Args:
            keys: N keys that identify the rows. Rows with the same key must have the same label; they count as one row
                and get the same split.
            y: Labels (N,), in label units.

        Example:
            >>> splits = SplitRule(bin_width=1).split([f"{k}.jpg" for k in range(8)], np.array([5.0] * 7 + [9.0]))
            >>> [splits.count(name) for name in ("train", "val", "test")]
            [4, 2, 2]
        """
        members = defaultdict(set)
        for label_bin, key in zip(bin_index(y, 0.0, self.bin_width).tolist(), keys, strict=True):
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


def split_file(manifest: Path, seed: int = SplitRule.seed) -> Path:
    """Return the path of the split file of a manifest. Each seed has its own file; the default seed is not in its name.

    >>> split_file(Path("data/faces.csv")).as_posix(), split_file(Path("data/faces.csv"), seed=7).as_posix()
    ('data/faces.split.csv', 'data/faces.split-7.csv')
    """
    return manifest.with_name(f"{manifest.stem}.split{'' if seed == SplitRule.seed else f'-{seed}'}.csv")


def own_split(manifest: Path, keys: Sequence[str], y: np.ndarray, rule: SplitRule) -> tuple[SplitName, ...]:
    """Return the split of each row, from the split file of this seed next to a manifest. Write it at the first call.

    Args:
        manifest: File of a manifest without splits.
        keys: N keys that identify the rows, as in `SplitRule.split`.
        y: Labels (N,) float32, in label units.
        rule: Rule that splits the rows.

    Raises:
        DataError: If the split file is broken, cannot be written, or was made from other rows, labels or options; or
            if no bin has three rows, so that val would be empty.
    """
    path = split_file(manifest, rule.seed)
    rows = dict(zip(keys, map(str, y.tolist()), strict=True))
    if path.exists():
        made_by, written = _read(path)
        _check_same(path, rows, {key: target for key, (target, _) in written.items()})
        _check_rule(path, str(rule), made_by)
        return tuple(written[key][1] for key in keys)
    splits = rule.split(keys, y)
    if "val" not in splits:
        raise DataError(
            f"{manifest}: a split needs 3 rows in some label bin, but no bin of width {rule.bin_width:g} has them: set "
            "data.bin_width to a larger one, or add a column with train, val and test"
        )
    of_key = dict(zip(keys, splits, strict=True))
    _write(path, rule, [(key, target, of_key[key]) for key, target in rows.items()])
    return splits


def _check_same(path: Path, rows: dict[str, str], written: dict[str, str]) -> None:
    """Refuse a split file whose rows differ from the rows of the manifest."""
    new, gone = sorted(rows.keys() - written.keys()), sorted(written.keys() - rows.keys())
    changed = sorted(key for key in rows.keys() & written.keys() if rows[key] != written[key])
    kinds = {"not in this file": new, "no longer in the manifest": gone, "with another target": changed}
    differences = [f"{len(keys)} {kind} (such as {keys[0]})" for kind, keys in kinds.items() if keys]
    if differences:
        raise DataError(
            f"{path}: must have the rows of the manifest next to it, got {', '.join(differences)}: the manifest has "
            "changed since the split; restore it, or delete this file to split again (results before and after are not "
            "comparable)"
        )


def _check_rule(path: Path, rule: str, made_by: str) -> None:
    if made_by != rule:
        raise DataError(
            f"{path}:1: must be a split with the options of section data, {rule!r}, got {made_by!r}: set "
            "data.bin_width and split_most to those of the file, or delete this file to split again"
        )


def _read(path: Path) -> tuple[str, dict[str, tuple[str, SplitName]]]:
    """Return the rule that made a split file, and the target and split of each row."""
    try:
        first, _, rest = path.read_bytes().decode().partition("\n")
        header, *lines = list(csv.reader(io.StringIO(rest, newline=""), strict=True))
        if header != HEADER or not first.startswith("#"):
            raise ValueError(f"its header must be {','.join(HEADER)} below a comment")
        rows = {key: (target, SPLITS[split]) for key, target, split in lines}
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, csv.Error) as error:
        raise DataError(f"{path}: is not a split file of groupdir, or is broken: {error}: delete it") from error
    return first, rows


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
