"""Split files: the split of a list without a column of splits, made once and used for every target from then on.

The first line of a file contains the rule that made the split, and a checksum of the rule and the rows. Older files
have neither the target nor a checksum; they stay valid.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from groupdir.data.base import SplitName
from groupdir.data.cell_values import as_number
from groupdir.data.manifest import SPLITS
from groupdir.data.own.split import SplitRule
from groupdir.errors import DataError, FileWriteError
from groupdir.files.write_whole import create_whole

HEADER = ["row", "target", "split"]
_NAME = r'"(?:[^"\\]|\\.)*"'  # a text in JSON
_FIRST = re.compile(
    r"# groupdir: val and test have min\(n // 3, (?P<most>\d+)\) of the n rows of each bin of (?P<width>\S+); "
    rf"seed (?P<seed>\d+)(?:; target (?P<target>{_NAME})(?:; group (?P<group>{_NAME}))?"
    r"; checksum (?P<sum>[0-9a-f]{16}))?"
)

WrittenRow = tuple[str, str, SplitName]
"""Key, target and split of a row, as in the file."""


@dataclass(frozen=True)
class Written:
    """Content of a split file.

    Attributes:
        rule: Rule that made it.
        rows: Key -> target as written, and split.
        target_known: Whether the file names the column of its targets.
    """

    rule: SplitRule
    rows: Mapping[str, tuple[str, SplitName]]
    target_known: bool


@dataclass(frozen=True)
class ListedRows:
    """Rows of a list that are split.

    Attributes:
        keys: N keys that identify the rows, whatever the target.
        y: Labels (N,), in label units.
        groups: N groups, or None.
        columns: All columns of the list, as name -> N cells.
    """

    keys: Sequence[str]
    y: np.ndarray
    groups: Sequence[str] | None = None
    columns: Mapping[str, Sequence[Any]] | None = None


def split_file(manifest: Path, rule: SplitRule) -> Path:
    """Return the path of the split file of a manifest.

    Each seed has a file of its own; the default seed is not in its name. Targets and bin widths share the file. If the
    file was made with another `most` or `group` than the rule's, the rule has a file of its own, with these two in its
    name.

    >>> split_file(Path("data/faces.csv"), SplitRule(1)).as_posix()
    'data/faces.split.csv'
    >>> split_file(Path("data/faces.csv"), SplitRule(1, seed=7)).as_posix()
    'data/faces.split-7.csv'
    """
    stem = f"{manifest.stem}.split{'' if rule.seed == SplitRule.seed else f'-{rule.seed}'}"
    plain = manifest.with_name(f"{stem}.csv")
    by_group = "" if rule.group is None else "-by-" + re.sub(r"[^\w.-]", "_", rule.group)[:80]
    special = manifest.with_name(f"{stem}-most{rule.most}{by_group}.csv")
    if special.exists() or (plain.exists() and not _serves(read_split_file(plain).rule, rule)):
        return special
    return plain


def own_split(
    manifest: Path,
    listed: ListedRows,
    rule: SplitRule,
    path: Path | None = None,
    accept: Callable[[tuple[SplitName, ...]], object] | None = None,
) -> tuple[SplitName, ...]:
    """Return the split of each row of a list, from its split file. Write the file at the first call.

    A file that was made for another target or bin width is used as it is, with a warning. Studies of several
    targets can then be compared, and no test row of one is a training row of another.

    A list that is refused gets no file: its mistakes are corrected next, and a corrected row has another key.

    Args:
        manifest: File of a manifest without splits.
        listed: Rows of the manifest.
        rule: Rule that splits the rows.
        path: Split file; None for the one next to the manifest.
        accept: Function that is called with a new split before it is written, and raises an error if the list cannot be
            used with it.

    Raises:
        DataError: If the split file is broken, was edited, cannot be written, or was made from other rows, labels or
            options; or if no bin has three rows, so that val would be empty.
    """
    file = split_file(manifest, rule) if path is None else path
    if not file.exists():
        splits = _new_split(manifest, listed, rule)
        if accept is not None:
            accept(splits)
        of_key = dict(zip(listed.keys, zip(map(str, listed.y.tolist()), splits, strict=True), strict=True))
        created = _write(file, rule, [(key, target, split) for key, (target, split) in of_key.items()])
        if created and path is None:
            _warn_of_other_files(file, manifest, rule)
    written = read_split_file(file)  # another process may have created it meanwhile
    _check_rows(file, listed, rule, written)
    _check_rule(file, rule, written.rule)
    _warn_of_another_target(file, rule, written)
    splits = tuple(written.rows[key][1] for key in listed.keys)
    _check_groups(file, listed, rule, splits)
    return splits


def _new_split(manifest: Path, listed: ListedRows, rule: SplitRule) -> tuple[SplitName, ...]:
    try:
        splits = rule.split(listed.keys, listed.y, listed.groups)
    except DataError as error:
        raise DataError(
            f"{manifest}: column {rule.group!r}: {error}: name another column in data.group, or add a column with "
            "train, val and test"
        ) from error
    by_rows = splits if listed.groups is None else rule.split(listed.keys, listed.y)
    if "val" not in by_rows:
        raise DataError(
            f"{manifest}: a split needs 3 rows in some label bin, but no bin of width {rule.bin_width:g} has them: set "
            "data.bin_width to a larger one, or add a column with train, val and test"
        )
    return splits


def _warn_of_other_files(file: Path, manifest: Path, rule: SplitRule) -> None:
    """Warn if a list has another split that was made with the same seed."""
    stem = re.escape(f"{manifest.stem}.split{'' if rule.seed == SplitRule.seed else f'-{rule.seed}'}")
    name = re.compile(rf"{stem}(-most\d+.*)?\.csv")
    others = sorted(other.name for other in manifest.parent.iterdir() if name.fullmatch(other.name) and other != file)
    if others:
        warnings.warn(
            f"{file}: this new split differs from {', '.join(others)}, which other options made: do not compare "
            "results on different splits, and do not choose on one what you test on another",
            stacklevel=2,
        )


def _serves(made_by: SplitRule, rule: SplitRule) -> bool:
    """Return whether a split of one rule can be used where another is asked for, with its target and bins."""
    return (made_by.seed, made_by.most, made_by.group) == (rule.seed, rule.most, rule.group)


def _check_rule(path: Path, rule: SplitRule, made_by: SplitRule) -> None:
    if not _serves(made_by, rule):
        raise DataError(
            f"{path}:1: must be a split with the options of section data (split_seed {rule.seed}, split_most "
            f"{rule.most}, group {rule.group}), got split_seed {made_by.seed}, split_most {made_by.most}, group "
            f"{made_by.group}: set them to those of the file, or name another file in data.split_file"
        )


def _warn_of_another_target(path: Path, rule: SplitRule, written: Written) -> None:
    """Warn if the bins of a split are not those of the target, so that val and test may not be balanced."""
    made_by = written.rule
    other_target = written.target_known and made_by.target != rule.target
    if not other_target and made_by.bin_width == rule.bin_width:
        return
    made_for = f"{made_by.target!r} " if written.target_known else ""
    warnings.warn(
        f"{path}: val and test are balanced over bins of {made_by.bin_width:g} of the target {made_for}for which this "
        f"split was made, not over bins of {rule.bin_width:g} of {rule.target!r}. All targets and bins share the "
        "split, so that results can be compared. For a split of its own, set data.split_file to another file",
        stacklevel=2,
    )


def _check_rows(path: Path, listed: ListedRows, rule: SplitRule, written: Written) -> None:
    """Refuse a split file whose rows differ from the rows of the list."""
    labels = dict(zip(listed.keys, listed.y.tolist(), strict=True))
    added, removed = sorted(labels.keys() - written.rows.keys()), sorted(written.rows.keys() - labels.keys())
    changed = _changed(listed, labels, rule, written)
    kinds = {"not in this file": added, "no longer in the manifest": removed, "with another target": changed}
    differences = [f"{len(keys)} {kind} (such as {keys[0]})" for kind, keys in kinds.items() if keys]
    if differences:
        raise DataError(
            f"{path}: must have the rows of the manifest next to it, got {', '.join(differences)}: the manifest has "
            "changed since the split; restore it, or delete this file to split again (results before and after are not "
            "comparable)"
        )


def _check_groups(path: Path, listed: ListedRows, rule: SplitRule, splits: Sequence[SplitName]) -> None:
    """Refuse a split that was made from other groups, so that it does not keep the present ones together."""
    if listed.groups is None:
        return
    splits_of: dict[str, set[SplitName]] = {}
    for group, split in zip(listed.groups, splits, strict=True):
        splits_of.setdefault(group, set()).add(split)
    if several := sorted(group for group, names in splits_of.items() if len(names) > 1):
        raise DataError(
            f"{path}: must keep each value of {rule.group!r} in one split, got {len(several)} in several (such as "
            f"{several[0]!r}): the column has changed since the split; restore it, or delete this file to split again "
            "(results before and after are not comparable)"
        )


def _changed(listed: ListedRows, labels: Mapping[str, float], rule: SplitRule, written: Written) -> list[str]:
    """Return the rows whose labels differ from those that the split was made from.

    The labels of another target are not compared. An old file does not name its target: if its labels are those of
    another column of the list, it was made for that column.
    """
    if written.target_known and written.rule.target != rule.target:
        return []
    changed = _different(labels, written)
    if changed and not written.target_known:
        for cells in (listed.columns or {}).values():
            values = {key: as_number(cell) for key, cell in zip(listed.keys, cells, strict=True)}
            if not _different(values, written):
                return []
    return changed


def _different(labels: Mapping[str, float | None], written: Written) -> list[str]:
    """Return the rows whose labels in the list and the file differ as float32, the type of labels in old files."""
    return sorted(
        key
        for key, (target, _) in written.rows.items()
        if key in labels and ((value := labels[key]) is None or np.float32(value) != np.float32(target))
    )


def read_split_file(path: Path) -> Written:
    """Read a split file.

    Raises:
        DataError: If it cannot be read, is broken, or was edited.
    """
    try:
        first, _, rest = path.read_bytes().decode().partition("\n")
        header, *lines = list(csv.reader(io.StringIO(rest, newline=""), strict=True))
        match = _FIRST.fullmatch(first.rstrip("\r"))
        if header != HEADER or match is None:
            raise ValueError(f"its header must be {','.join(HEADER)} below a comment with the rule of the split")
        rows: list[WrittenRow] = [(key, target, _split(split)) for key, target, split in lines]
        of_key = {key: (target, split) for key, target, split in rows}
        if len(of_key) < len(rows):
            raise ValueError(f"{len(rows) - len(of_key)} rows are listed twice")
        if not all(np.isfinite(np.float32(target)) for _, target, _ in rows):
            raise ValueError("a target is not a finite number")
        names = [None if match[name] is None else str(json.loads(match[name])) for name in ("target", "group")]
        rule = SplitRule(
            float(match["width"]), int(match["most"]), int(match["seed"]), names[0] or SplitRule.target, names[1]
        )
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, csv.Error) as error:
        raise DataError(
            f"{path}: is not a split file of groupdir, or is broken: {error}: restore it, or delete it to split again"
        ) from error
    if match["sum"] is not None and _first_line(rule, rows) != first.rstrip("\r"):
        raise DataError(
            f"{path}: was changed after groupdir wrote it, because its checksum differs: restore it, or delete it to "
            "split again; for a split of your own, add a column to the manifest (data.split)"
        )
    return Written(rule, of_key, match["target"] is not None)


def _split(text: str) -> SplitName:
    split = SPLITS[text]
    if split != text:
        raise ValueError(f"a split must be train, val or test, got {text!r}")
    return split


def _first_line(rule: SplitRule, rows: Sequence[WrittenRow]) -> str:
    """Return the first line of a split file: its rule, and a checksum of the rule and the rows."""
    group = "" if rule.group is None else f"; group {json.dumps(rule.group)}"
    width = repr(float(rule.bin_width)).removesuffix(".0")
    text = (
        f"# groupdir: val and test have min(n // 3, {rule.most}) of the n rows of each bin of {width}; "
        f"seed {rule.seed}; target {json.dumps(rule.target)}{group}"
    )
    digest = hashlib.blake2b(json.dumps([text, *rows]).encode(), digest_size=8)
    return f"{text}; checksum {digest.hexdigest()}"


def _write(path: Path, rule: SplitRule, rows: Sequence[WrittenRow]) -> bool:
    """Write a new split file, and return whether this process has created it."""
    text = io.StringIO(newline="")
    text.write(f"{_first_line(rule, rows)}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows)
    try:
        return create_whole(path, text.getvalue())
    except FileWriteError as error:
        todo = "or set data.split_file, or add a column with train, val and test to the manifest"
        raise FileWriteError(f"{error}; {todo}", error.disk_full) from error
