"""Plan of a search: the description of the study, its rungs, and its budget in epochs and hours."""

from __future__ import annotations

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
    """Describe a study and what it would cost, for `search --dry-run`.

    Args:
        config: The study's configuration.
        folder: The study's folder. If a study is in it, or one is named for a warm start, its epochs give the time.
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
    if search.ablations:
        extra = (len(search.ablations) + 1) * search.ablation_seeds * total
        lines.append(f"budget of the ablations: {extra:,} epochs")
        spent += extra
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


def hours_text(epochs: int, folders: Sequence[Path], concurrency: int | None) -> str:
    """Estimate the time of some epochs from those of the first study that has recorded any."""
    for folder in folders:
        if not (folder / EVENT_LOG).is_file():
            continue
        trials = read_study(folder).state.trials.values()
        if seconds := [float(row["seconds"]) for trial in trials for row in trial.rows]:
            one = median(seconds)
            text = f"time: {clock(one * epochs)} of trial time, at {one:.3g} s per epoch in {folder}"
            return text + (f"; {clock(one * epochs / concurrency)} with {concurrency} at once" if concurrency else "")
    return "time: unknown until an epoch is recorded; run it, or name an earlier study in search.warm_start"
