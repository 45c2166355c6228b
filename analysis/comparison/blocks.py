"""Data sets of a comparison: the predictions of all configurations for the same samples and seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from analysis.comparison.inputs import Array, Measured, run_folder
from groupdir.errors import DataError
from groupdir.files.ledger import Ledger
from groupdir.shots import ALL, SHOTS, ShotSplit

Key = tuple[bytes, bytes, str]


@dataclass(frozen=True)
class Block:
    """Predictions of all configurations for one data set.

    Attributes:
        name: Name of the data set.
        target: True labels `(N,)`, in the type of the files.
        shots: Shots of the labels, or None if no file states them.
        seeds: Seeds that all configurations have.
        unused: Seeds of each configuration that another one lacks; empty lists are left out.
        readers: Sentence about the configurations that have read the split, or "" if the files do not say their data.
        predictions: Predictions of M configurations `(M, S, N)`.
    """

    name: str
    target: Array
    shots: ShotSplit | None
    seeds: tuple[int, ...]
    unused: dict[str, list[int]]
    readers: str
    predictions: npt.NDArray[np.float64] = field(repr=False)

    def members(self) -> dict[str, npt.NDArray[np.bool_]]:
        """Return which samples are of each shot: `all` first, then the shots if they are known."""
        members = {ALL: np.ones(len(self.target), dtype=bool)}
        if self.shots is not None:
            codes = self.shots.of(self.target)
            members |= {name: codes == code for code, name in enumerate(SHOTS)}
        return members


def make_blocks(trainings: Sequence[Measured]) -> tuple[list[str], list[Block]]:
    """Return the labels of the configurations and a block for each data set.

    Trainings with equal samples and targets are of one data set.

    Raises:
        DataError: If there is one configuration only, a configuration lacks a data set, a seed stands twice, or the
            configurations have no common seed.
    """
    labels = list(dict.fromkeys(training.label for training in trainings))
    if len(labels) < 2:
        raise DataError(
            f"{trainings[0].file}: is of the only configuration, {labels[0]}: name at least two folders of "
            "`groupdir train`; if two have the same name, give them labels, as in plain=PATH soft=PATH"
        )
    data_sets: dict[Key, list[Measured]] = {}
    for key, training in zip(_keys(trainings), trainings, strict=True):
        data_sets.setdefault(key, []).append(training)
    for rows in data_sets.values():
        for label in labels:
            if all(row.label != label for row in rows):
                other = next(row for row in trainings if row.label == label)
                raise DataError(_why_different(rows[0], other))
    names = _names([rows[0] for rows in data_sets.values()])
    return labels, [_block(name, labels, rows) for name, rows in zip(names, data_sets.values(), strict=True)]


def _names(firsts: Sequence[Measured]) -> list[str]:
    """Return a name for each data set. Names that are missing or not unique get a number."""
    stated = [first.stated.data or "data set" for first in firsts]
    return [name if stated.count(name) == 1 else f"{name} {number}" for number, name in enumerate(stated, 1)]


def _keys(trainings: Sequence[Measured]) -> list[Key]:
    """Return what identifies the data set of each training: samples, targets and the fingerprint of the inputs.

    Targets of other types are equal if they are so in float32. A file without a fingerprint takes the only one that
    other files with its samples and targets have.
    """
    parts = [(row.sample.astype(np.int64).tobytes(), row.target.astype(np.float32).tobytes()) for row in trainings]
    known: dict[tuple[bytes, bytes], set[str]] = {part: set() for part in parts}
    for part, row in zip(parts, trainings, strict=True):
        known[part] |= {row.stated.samples} - {""}
    return [
        (*part, row.stated.samples or (next(iter(known[part])) if len(known[part]) == 1 else ""))
        for part, row in zip(parts, trainings, strict=True)
    ]


def _why_different(first: Measured, other: Measured) -> str:
    """Return why the predictions of two configurations cannot be compared."""
    common = np.intersect1d(first.sample, other.sample, assume_unique=True)
    if len(common) < max(len(first.sample), len(other.sample)):
        return (
            f"{other.file}: holds predictions of other samples than {first.file}: {len(other.sample)} and "
            f"{len(first.sample)} samples, {len(common)} in common: measure all configurations on the same split of "
            f"the same data, or give {other.label} and {first.label} a folder each for every data set"
        )
    differ = np.flatnonzero(first.target != other.target)
    if not len(differ):
        return (
            f"{other.file}: has the labels of {first.file}, but other samples (fingerprints "
            f"{other.stated.samples or 'unknown'} and {first.stated.samples or 'unknown'}): their data was drawn with "
            "other options, such as data.seed: measure all configurations on the same data, or give "
            f"{other.label} and {first.label} a folder each for every data set"
        )
    row = differ[0]
    return (
        f"{other.file}: has other targets than {first.file} for {len(differ)} of {len(common)} samples, such as sample "
        f"{first.sample[row]}: {other.target[row]:g} and {first.target[row]:g}. Two data sets must not be mixed: "
        f"compare configurations of one data set, or give {other.label} and {first.label} a folder each for every data "
        "set"
    )


def _block(name: str, labels: Sequence[str], rows: Sequence[Measured]) -> Block:
    by_seed: dict[tuple[str, int], Measured] = {}
    for row in rows:
        first = next(other for other in rows if other.label == row.label)
        if first.stated.configuration != row.stated.configuration:
            raise DataError(
                f"{row.file}: is of another configuration than {first.file}, but both have the label {row.label}: "
                "give them different labels, as in first=PATH second=PATH"
            )
        if (twice := by_seed.setdefault((row.label, row.seed), row)) is not row:
            raise DataError(
                f"{row.file}: has predictions of {row.label} with seed {row.seed}, and so has {twice.file}: give one "
                "of them, or give them different labels, as in first=PATH second=PATH"
            )
    seeds = {label: sorted(seed for other, seed in by_seed if other == label) for label in labels}
    common = sorted(set.intersection(*map(set, seeds.values())))
    if not common:
        listed = "; ".join(f"{label} has {', '.join(map(str, numbers))}" for label, numbers in seeds.items())
        raise DataError(
            f"{name}: the configurations have no common seed ({listed}): train them with the same seeds, "
            "as in `groupdir train FILE --seeds 5 --set seed=0`"
        )
    predictions = np.stack([[by_seed[label, seed].prediction for seed in common] for label in labels])
    unused = {label: [seed for seed in numbers if seed not in common] for label, numbers in seeds.items()}
    return Block(
        name=name,
        target=rows[0].target,
        shots=_shots(rows),
        seeds=tuple(common),
        unused={label: numbers for label, numbers in unused.items() if numbers},
        readers=_readers(rows),
        predictions=predictions,
    )


def _readers(rows: Sequence[Measured]) -> str:
    """Return the line of the ledgers about the test samples of a data set, or "" if no ledger can be found."""
    recorded = [row for row in rows if row.stated.configuration]
    if not recorded:
        return ""
    folders = [folder for row in recorded for folder in Ledger.of(row.stated.root, run_folder(row.file)).folders]
    shown = {row.stated.configuration for row in recorded}
    return Ledger(tuple(dict.fromkeys(folders))).line(recorded[0].stated.data, recorded[0].stated.samples, shown)


def _shots(rows: Sequence[Measured]) -> ShotSplit | None:
    """Return the shots that the files of a data set state."""
    stated = [row for row in rows if row.stated.shots is not None]
    other = next((row for row in stated if row.stated.shots != stated[0].stated.shots), None)
    if other is not None:
        raise DataError(
            f"{other.file}: has other shots than {stated[0].file}, although their targets are equal. Their training "
            "samples or bins differ, so few-shot means different labels: train both on the same data"
        )
    return stated[0].stated.shots if stated else None
