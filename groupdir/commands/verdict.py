"""Last lines of `groupdir train`: what was measured, whether differences are shown, and what to type next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from groupdir.bootstrap.hierarchical import Resampled
from groupdir.bootstrap.verdict import ALPHA, ONE_SEED, alike_text, holm, shown_text
from groupdir.command_line.next_command import next_command
from groupdir.commands.plans import Plan
from groupdir.metrics import METRICS
from groupdir.values.values import Value
from groupdir.values.words import number_text, trainings_text, value_text

VERDICT_METRIC = "mae"
"""Metric of the verdict, which is also the one that `groupdir compare` prints."""
UNCOMPARED = "one configuration: whether it is better than another one was not measured"
SEEDS = 5
"""Number of seeds of a suggested comparison. Intervals of fewer seeds are wide."""


def result_lines(titles: Sequence[str], by_shot: Mapping[str, Resampled]) -> list[str]:
    """Return the values of each configuration by shot, with their intervals.

    Args:
        titles: Names of the configurations.
        by_shot: The metric of these configurations by shot.
    """
    if not by_shot:
        return []
    seeds = _seeds(by_shot)
    over = "samples and seeds" if seeds > 1 else "samples only"
    head = f"test {METRICS[VERDICT_METRIC].title}, {trainings_text(seeds)}, [95 % interval over {over}]:"
    return [head, *(f"  {title}: {_values(by_shot, index)}" for index, title in enumerate(titles))]


def _values(by_shot: Mapping[str, Resampled], index: int) -> str:
    means = {shot: values.mean(index) for shot, values in by_shot.items()}
    seeds = _seeds(by_shot)
    return ", ".join(
        f"{shot} {value_text(Value(mean.value, mean.low, mean.high, mean.value, seeds))}"
        for shot, mean in means.items()
    )


def verdict_lines(plans: Sequence[Plan], by_shot: Mapping[str, Resampled]) -> list[str]:
    """Return which differences to the first configuration are shown, and which configurations cannot be told apart.

    The p-values are corrected for all pairs and shots, as `groupdir compare` does, so that both say the same.

    Args:
        plans: Configurations.
        by_shot: The metric of these configurations by shot.
    """
    p_values, lines, towards = _corrected(plans, by_shot), list[str](), METRICS[VERDICT_METRIC].sign
    for other in range(1, len(plans)):
        names, alike = (plans[0].title, plans[other].title), list[str]()
        for shot, values in by_shot.items():
            gap = float(values.observed[0].mean() - values.observed[other].mean())
            if p_values[frozenset((0, other)), shot] < ALPHA:
                best, worse = names if towards * gap < 0 else names[::-1]
                lines.append(shown_text(shot, best, worse, number_text(abs(gap))))
            else:
                alike.append(shot)
        lines += [alike_text(alike, " and ".join(names))] if alike else []
    if lines and _seeds(by_shot) == 1:
        lines.append(ONE_SEED)
    return lines


def _corrected(plans: Sequence[Plan], by_shot: Mapping[str, Resampled]) -> dict[tuple[frozenset[int], str], float]:
    """Return the corrected p-values by pair and shot. The order in a pair is that of `groupdir compare`: by label."""
    order = sorted(range(len(plans)), key=lambda index: plans[index].label)
    tests = [(one, other, shot) for shot in by_shot for one, other in combinations(order, 2)]
    p_values = holm([by_shot[shot].difference(one, other).p for one, other, shot in tests])
    return {(frozenset((one, other)), shot): p for (one, other, shot), p in zip(tests, p_values, strict=True)}


def _seeds(by_shot: Mapping[str, Resampled]) -> int:
    return int(next(iter(by_shot.values())).observed.shape[1])


def next_lines(plans: Sequence[Plan], folder: Path, checkpoint: Path, again: Sequence[object]) -> Iterator[str]:
    """Yield the commands to type next.

    Args:
        plans: Configurations.
        folder: Folder of their trainings.
        checkpoint: Checkpoint of the first configuration.
        again: Words of the command that trains the first configuration again, or none.
    """
    commands = [next_command("predict", checkpoint, "INPUT", "--out", "predictions.csv")]
    if len(plans) > 1:
        commands.insert(0, next_command("compare", folder))
    elif again:
        other = "vanilla" if plans[0].config.method.name != "vanilla" else "group_dir"
        out = folder.with_name(f"{folder.name}_beside_{other}")
        commands.insert(0, next_command(*again, "--seeds", SEEDS, "--beside", other, "--out", out))
    yield from (f"{word}: {command}" for word, command in zip(("next", "then"), commands, strict=False))
