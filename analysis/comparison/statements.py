"""Sentences about what limits a comparison."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from analysis.comparison.blocks import Block
from analysis.comparison.pairs import OVER_ALL, Pair
from analysis.comparison.ranks import AverageRanks
from analysis.comparison.signed_ranks import FEWEST_REPLICATIONS
from groupdir.bootstrap.verdict import ALPHA, ONE_SEED
from groupdir.metrics import METRICS
from groupdir.shots import ALL_AND_SHOTS


def limiting_statements(
    blocks: Sequence[Block],
    metrics: Sequence[str],
    pairs: Sequence[Pair],
    ranks: dict[tuple[str, str], AverageRanks],
    draws: int,
) -> Iterator[str]:
    """Yield sentences about what limits a comparison."""
    limited: dict[str, list[str]] = {}  # limit -> data sets
    for block in blocks:
        compared = {(pair.metric, pair.shot) for pair in pairs if pair.data == block.name}
        for limit in _limits(block, metrics, compared):
            limited.setdefault(limit, []).append(block.name)
    yield from (f"{', '.join(names)}: {limit}" for limit, names in limited.items())
    family = max((pair.family for pair in pairs if pair.data != OVER_ALL), default=0)
    if 2 / (draws + 1) * family >= ALPHA:
        yield (
            f"With {draws} draws no difference can be shown, because the smallest p-value, corrected for {family} "
            f"tests, is {min(1.0, 2 / (draws + 1) * family):.2g}: use --draws {math.ceil(4 * family / ALPHA)} or more."
        )
    if len(blocks) > 1:
        counts = {shot: result.data_sets for (_, shot), result in ranks.items()}
        for shot in ALL_AND_SHOTS:
            if counts.get(shot, 0) < len(blocks):
                yield f"Over all data sets, {shot}: {counts.get(shot, 0)} of {len(blocks)} data sets have values."
        if len(blocks) < FEWEST_REPLICATIONS:
            yield f"Over all data sets: {_too_few(len(blocks), 'data sets')}"


def _limits(block: Block, metrics: Sequence[str], compared: set[tuple[str, str]]) -> Iterator[str]:
    """Yield what limits the comparison on a data set, without the name of the data set."""
    seeds = len(block.seeds)
    for label, unused in block.unused.items():
        yield f"seeds {', '.join(map(str, unused))} of {label} are left out: another one lacks them."
    if seeds == 1:
        yield ONE_SEED
    elif seeds < FEWEST_REPLICATIONS:
        yield _too_few(seeds, "seeds")
    if block.shots is None:
        yield "no file states the shots, so only the metrics of all samples are compared."
    for shot, members in block.members().items():
        if not members.any():
            yield f"no sample is {shot}-shot, so nothing is compared there."
        elif missing := [METRICS[name].title for name in metrics if (name, shot) not in compared]:
            yield (
                f"{shot}: {', '.join(missing)} cannot be computed for every configuration from these "
                f"{int(members.sum())} samples, so it is not compared there."
            )


def _too_few(count: int, replications: str) -> str:
    """Return the sentence about too few replications for a small p-value of Wilcoxon's test."""
    return (
        f"{count} {replications}. No p-value of Wilcoxon's test can be below {2.0 ** (1 - count):.3g}, even before "
        f"correction; for one below {ALPHA:g} it needs {FEWEST_REPLICATIONS} {replications} or more."
    )
