"""Check of a data set for samples of val and test that are equal or related to samples that training has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from groupdir.command_line.console import say_on
from groupdir.commands.first_config import first_config
from groupdir.config.datasets import OwnLabelsConfig
from groupdir.config.trial import DatasetConfig
from groupdir.data.base import Dataset, SplitName
from groupdir.data.comparisons import Comparison, Matches
from groupdir.errors import DataError, EmptySplitError
from groupdir.training.trainer import make_dataset

PAIRS: tuple[tuple[SplitName, SplitName], ...] = (("test", "train"), ("test", "val"), ("val", "train"))
"""Splits that are compared: the samples of the first are looked for in the second."""

EXAMPLES = 3
"""Number of matching samples that are printed for each comparison."""


@dataclass(frozen=True)
class Overlap:
    """Result of one comparison of two splits.

    Attributes:
        name: Property that matching samples share.
        first: Split whose samples were looked for.
        second: Split in which they were looked for.
        matches: (N,) for each sample of the first split the index of a match in the second, or -1.
        examples: Names of some matching samples, each as the sample of the first split and its match.
    """

    name: str
    first: SplitName
    second: SplitName
    matches: Matches
    examples: tuple[tuple[str, str], ...] = ()

    @property
    def count(self) -> int:
        """Number of samples of the first split with a match."""
        return int((self.matches >= 0).sum())


@dataclass(frozen=True)
class DataCheck:
    """Result of a check.

    Attributes:
        data: Section `data` of the configuration.
        sizes: Split -> number of samples.
        overlaps: Results of the comparisons.
        not_compared: Property -> reason why it could not be compared.
    """

    data: DatasetConfig
    sizes: dict[SplitName, int]
    overlaps: tuple[Overlap, ...]
    not_compared: dict[str, str]

    def affected(self, first: SplitName, second: SplitName) -> npt.NDArray[np.bool_]:
        """Return for each sample (N,) of a split whether any comparison finds a match in another split."""
        hits = [item.matches >= 0 for item in self.overlaps if (item.first, item.second) == (first, second)]
        return np.any(hits, axis=0) if hits else np.zeros(self.sizes.get(first, 0), dtype=bool)

    @property
    def clean(self) -> bool:
        """True if everything was compared and no sample has a match in another split."""
        return not self.not_compared and not any(item.count for item in self.overlaps)


def check_data(file: Path, overrides: Sequence[str] = ()) -> DataCheck:
    """Compare the samples of the splits of a data set. Nothing is trained, and no error is computed.

    Args:
        file: YAML of a trial or a search space.
        overrides: Strings `address=value`, as in `--set`.

    Raises:
        ConfigError: If the file has mistakes, or is a benchmark.
        DataError: If the list of samples cannot be read. Unreadable inputs are not an error, see `not_compared`.
    """
    config, _ = first_config(file, overrides)
    dataset = make_dataset(config)
    sizes: dict[SplitName, int] = {}
    for split in ("train", "val", "test"):
        try:
            sizes[split] = len(dataset.labels(split))
        except EmptySplitError:
            continue
    overlaps, not_compared = list[Overlap](), {}
    for comparison in dataset.comparisons():
        try:
            pairs = [pair for pair in PAIRS if set(pair) <= sizes.keys()]
            overlaps += [_overlap(dataset, comparison, first, second) for first, second in pairs]
        except DataError as error:
            not_compared[comparison.name] = str(error)
    return DataCheck(config.data, sizes, tuple(overlaps), not_compared)


def _overlap(dataset: Dataset, comparison: Comparison, first: SplitName, second: SplitName) -> Overlap:
    matches = comparison.matches(first, second)
    where = np.flatnonzero(matches >= 0)[:EXAMPLES].tolist()
    examples = [(dataset.sample_name(first, i), dataset.sample_name(second, int(matches[i]))) for i in where]
    return Overlap(comparison.name, first, second, matches, tuple(examples))


def print_check(check: DataCheck, console: Console) -> None:
    """Print the number of related samples of each pair of splits, examples, and what to do about them."""
    sizes = ", ".join(f"{count:,} {split}" for split, count in check.sizes.items())
    console.print(f"{check.data.name}: {sizes} samples", highlight=False)
    if "test" not in check.sizes:
        console.print("no test split: only val is compared with train", highlight=False)
    if check.overlaps:
        console.print(overlap_table(check))
    for name in dict.fromkeys(item.name for item in check.overlaps):
        for item in [item for item in check.overlaps if item.name == name and item.count][:1]:
            for sample, match in item.examples:
                say_on(console, f"{name}: {sample} ({item.first}) and {match} ({item.second})")
    for name, reason in check.not_compared.items():
        first, *further_lines = reason.splitlines()
        more = f" (and {len(further_lines)} more lines)" if further_lines else ""
        say_on(console, f"not compared: {name}: {first}{more}")
    say_on(console, "\n".join(summary(check)))


def overlap_table(check: DataCheck) -> Table:
    """Return a table with the samples of val and test that share a property with a sample of another split."""
    pairs = [pair for pair in PAIRS if pair[0] in check.sizes and pair[1] in check.sizes]
    table = Table(title="samples with a match in another split", box=None, pad_edge=False)
    table.add_column("match by")
    for first, second in pairs:
        table.add_column(f"{first} in {second}", justify="right", no_wrap=True)
    for name in dict.fromkeys(item.name for item in check.overlaps):
        counts = {(item.first, item.second): item.count for item in check.overlaps if item.name == name}
        cells = [share(counts[pair], check.sizes[pair[0]]) if pair in counts else "" for pair in pairs]
        table.add_row(name, *cells)
    table.add_row("any of these", *(share(int(check.affected(*pair).sum()), check.sizes[pair[0]]) for pair in pairs))
    return table


def share(count: int, total: int) -> str:
    """Return a count and its share.

    >>> share(194, 1000), share(0, 7)
    ('194 (19.4 %)', '0')
    """
    return f"{count:,} ({100 * count / total:.1f} %)" if count else "0"


def summary(check: DataCheck) -> list[str]:
    """Return the result of the check for the test split, or for val without a test split, and what to do."""
    split: SplitName = "test" if "test" in check.sizes else "val"
    others: list[SplitName] = [second for first, second in PAIRS if first == split and second in check.sizes]
    affected = np.any([check.affected(split, second) for second in others], axis=0)
    count, total = int(affected.sum()), check.sizes[split]
    if not count:
        lines = [f"no {split} sample has a match in {' or '.join(others)}"]
        return lines + (["but some comparisons failed, see above"] if check.not_compared else [])
    text = (
        f"{share(count, total)} of the {split} samples have a match in {' or '.join(others)}: errors on them are lower "
        "than on samples that are unrelated to the training data."
    )
    lines = [text]
    if not isinstance(check.data, OwnLabelsConfig):
        lines.append(
            "This data set keeps its published split, so that results can be compared. Report these matches with the "
            "results, and do not read the errors as errors on new data."
        )
        return lines
    lines.append(
        "What to do: of equal samples keep only one. If samples belong together, such as those of a person, name the "
        "column of the persons in data.group and set data.split to null. groupdir then puts the samples of a person "
        "into one split."
    )
    return lines
