"""Plan of a search: the description of the study, its rungs, and its budget in epochs and hours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from groupdir.commands.describe import study_lines
from groupdir.config.space import StudyConfig
from groupdir.config.stage import epochs_of
from groupdir.files.study_files import EVENT_LOG
from groupdir.study.read import read_study
from launch.schedulers import make_scheduler
from launch.screen.progress import clock
from launch.screen.sharing import sharing_text


def plan(config: StudyConfig, folder: Path) -> str:
    """Return the description and the budget of a study, for `search --dry-run`.

    Args:
        config: Configuration of the study.
        folder: Folder of the study. The time is estimated from the epochs of a study in it, or else of a study that is
            named for a warm start.
    """
    search = config.search
    first, predicting = epochs_of_a_trial(config)
    total = first + predicting
    factor = search.scheduler.one_in
    rungs = list(make_scheduler(search).rung_epochs(predicting))
    spent = search.trials * first + expected_epochs(search.trials, rungs, predicting, factor)
    most = search.trials * total
    lines = [*study_lines(config), "", f"folder: {folder}"]
    stages = f", {predicting} of them in stages that predict" if first else ""
    lines.append(f"epochs of a trial: up to {total}{stages}")
    lines.append(
        f"rungs at epochs: {', '.join(map(str, rungs)) or 'none'}{' of the stages that predict' if first else ''}"
    )
    advance = f" (1 in {factor:g} advances at each rung; more early on)" if rungs else ""
    lines.append(f"budget: about {spent:,} epochs{advance}, at most {most:,}")
    if search.max_epochs is not None:
        lines.append(f"limit: the search ends at {search.max_epochs:,} epochs")
    if text := sharing_text(config):
        lines.append(text)
    if search.confirm:
        extra = math.ceil(search.confirm.share * spent / total) * total
        lines.append(f"budget of the confirmation: about {extra:,} epochs, a new training being up to {total}")
        spent += extra
    if search.ablations:
        extra = search.ablation_trials * total
        lines.append(f"budget of the ablations: {extra:,} epochs")
        spent += extra
    lines.append(hours_text(spent, [folder, *map(Path, search.warm_start)], search.concurrency))
    return "\n".join(lines)


def most_epochs(config: StudyConfig) -> int:
    """Return the largest number of epochs of a search with its confirmation, without ablations."""
    total = sum(epochs_of_a_trial(config))
    most = config.search.trials * total
    return most + (math.ceil(config.search.confirm.share * most / total) * total if config.search.confirm else 0)


def epochs_of_a_trial(config: StudyConfig) -> tuple[int, int]:
    """Return the largest numbers of epochs of a trial in stages that do not predict, and in stages that do."""
    corners = config.space.corner_stages
    return max(epochs_of(stages, predicts=False) for stages in corners), max(map(epochs_of, corners))


def expected_epochs(trials: int, rungs: Sequence[int], total: int, factor: float) -> int:
    """Return the epochs that a search trains if one trial in `factor` advances at each rung.

    Early in a search, when rungs are not full, more trials advance.

    >>> expected_epochs(27, [1, 3, 9], 27, 3)
    81
    """
    spent, reached, remaining = 0.0, 0, float(trials)
    for epoch in [*rungs, total]:
        spent += remaining * (epoch - reached)
        reached, remaining = epoch, remaining / factor
    return round(spent)


def hours_text(epochs: int, folders: Sequence[Path], concurrency: int | None) -> str:
    """Return an estimate of the time of some epochs, from the first study of which epochs are recorded."""
    for folder in folders:
        if not (folder / EVENT_LOG).is_file():
            continue
        trials = read_study(folder).state.trials.values()
        if seconds := [float(row["seconds"]) for trial in trials for row in trial.rows]:
            one = median(seconds)
            text = f"time: {clock(one * epochs)} of trial time, at {one:.3g} s per epoch in {folder}"
            return text + (f"; {clock(one * epochs / concurrency)} with {concurrency} at once" if concurrency else "")
    return "time: unknown until an epoch is recorded; start the search, or name an earlier study in search.warm_start"
