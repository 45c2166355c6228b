"""What a search would run: its space, its rungs, its budget in epochs and, where epochs have been timed, in hours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from groupdir.config.domains import Choice, Domain, IntRange, LogUniform, Uniform
from groupdir.config.space import StudyConfig
from groupdir.config.stage import epochs_of
from groupdir.study.state import replay
from groupdir.study.store import Store
from launch.schedulers import SCHEDULERS
from launch.screen.progress import clock
from launch.screen.sharing import sharing_text
from launch.study.study import STORE


def plan(config: StudyConfig, folder: Path) -> str:
    """The text of `--dry-run`.

    Args:
        config: The study's.
        folder: Where it would go; epochs of a study that is there, or of one to start warm from, give the seconds.
    """
    search = config.search
    first, predicting = epochs_of_a_trial(config)
    total = first + predicting
    scheduler = SCHEDULERS[search.scheduler.name].from_config(search)
    rungs = list(scheduler.rung_epochs(predicting))
    spent = search.trials * first + expected_epochs(search.trials, rungs, predicting, search.scheduler.reduction_factor)
    lines = [f"study {config.name}: {search.trials} trials of up to {total} epochs, into {folder}", "space:"]
    lines += [f"  {name}: {domain_text(domain)}" for name, domain in config.space.parameters.items()]
    lines.append("objectives: " + ", ".join(f"{name} ({mode})" for name, mode in search.objectives.items()))
    lines += [f"  constraint: {name} {text}" for name, text in search.constraints.items()]
    lines.append(f"sampler: {search.sampler.name}, after {search.sampler.startup} trials of a quasi-random design")
    after = f" of the stages that predict; the others have up to {first}" if first else ""
    lines.append(f"scheduler: {search.scheduler.name}, rungs at epochs {', '.join(map(str, rungs)) or 'none'}{after}")
    most = search.trials * total
    if_one_in_eta = "if one in eta goes on at each rung (more while rungs are small)"
    lines.append(f"budget: {spent:,} epochs {if_one_in_eta}, {most:,} at most")
    if text := sharing_text(config):
        lines.append(text)
    if search.max_epochs is not None:
        lines.append(f"  ended at {search.max_epochs:,} epochs")
    if search.ablations:
        extra = (len(search.ablations) + 1) * search.ablation_seeds
        lines.append(f"ablations: {extra} trials of {total} epochs: as chosen, {', '.join(search.ablations)}")
        spent += extra * total
    lines.append(hours_text(spent, [folder, *map(Path, search.warm_start)], search.concurrency))
    return "\n".join(lines)


def epochs_of_a_trial(config: StudyConfig) -> tuple[int, int]:
    """Return the most epochs that a trial has in stages that do not predict, and in stages that do."""
    corners = config.space.corner_stages
    return max(epochs_of(stages, predicts=False) for stages in corners), max(map(epochs_of, corners))


def expected_epochs(trials: int, rungs: Sequence[int], total: int, factor: float) -> int:
    """Epochs that are trained if one in `factor` goes on at each rung, once the rungs are full.

    >>> expected_epochs(27, [1, 3, 9], 27, 3)
    81
    """
    spent, reached, going = 0.0, 0, float(trials)
    for epoch in [*rungs, total]:
        spent += going * (epoch - reached)
        reached, going = epoch, going / factor
    return round(spent)


def domain_text(domain: Domain) -> str:
    """A domain in a line.

    >>> domain_text(Choice((5, None))), domain_text(LogUniform(0.25, 4))
    ('one of 5, null', 'log_uniform 0.25 to 4')
    """
    if isinstance(domain, Choice):
        return "one of " + ", ".join(json.dumps(value) for value in domain.values)
    kind = {Uniform: "uniform", LogUniform: "log_uniform", IntRange: "int_range"}[type(domain)]
    step = getattr(domain, "step", None)
    return f"{kind} {domain.low:g} to {domain.high:g}" + (f" by {step:g}" if step not in (None, 1) else "")


def hours_text(epochs: int, folders: Sequence[Path], concurrency: int | None) -> str:
    """The time of so many epochs, from the epochs that a study has recorded."""
    for folder in folders:
        if (folder / STORE).is_file():
            store = Store.open(folder / STORE, readonly=True)
            seconds = [float(row["seconds"]) for trial in replay(store.events()).trials.values() for row in trial.rows]
            store.close()
            if seconds:
                one = median(seconds)
                text = f"time: {clock(one * epochs)} of trial time, at {one:.3g} s an epoch in {folder}"
                return text + (
                    f"; {clock(one * epochs / concurrency)} with {concurrency} at once" if concurrency else ""
                )
    return "time: unknown until an epoch is recorded; run it, or name an earlier study in search.warm_start"
