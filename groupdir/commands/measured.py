"""Tables of the configurations that `groupdir train` has measured: their test metrics and their differences."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from groupdir.bootstrap import UndefinedMetricError, paired_bootstrap
from groupdir.commands.plans import Plan
from groupdir.commands.rerun import Run
from groupdir.files.ledger import Ledger
from groupdir.files.predictions import SavedPredictions, check_same_samples, read_predictions
from groupdir.files.study_files import LAST_CHECKPOINT, TEST_RESULTS, seed_folder
from groupdir.files.write_whole import whole_file
from groupdir.metrics import ALL, SHOTS, MetricName, find_metric, parse_metric

DRAWS = 400
"""Draws of each paired interval: 4 s for 2,000 test samples and 5 seeds on one core. An end of an interval then has a
standard error of about 3 % of its width."""


@dataclass(frozen=True)
class Measured:
    """Configuration with its trainings, in the order of their seeds.

    Attributes:
        plan: The configuration.
        runs: Trainings with their test metrics.
        predictions: Predictions of each training.
    """

    plan: Plan
    runs: Sequence[Run]
    predictions: Sequence[SavedPredictions]


def report(plans: Sequence[Plan], runs: Sequence[Run], folder: Path) -> None:
    """Print the test metrics of configurations and their differences to the first one, and write `test.csv`.

    Raises:
        DataError: If the predictions are not for the same samples, or a file is broken.
    """
    measured = [_measured(plan, [run for run in runs if run.label == plan.label]) for plan in plans]
    everything = [(item.plan.label, each) for item in measured for each in item.predictions]
    check_same_samples([label for label, _ in everything], [each for _, each in everything])
    console = Console()
    console.print(_spreads(measured))
    if len(measured) > 1:
        console.print(_differences(measured))
    console.print(_ledger_line(measured, folder), soft_wrap=True, highlight=False)
    path = _write_csv(runs, folder)
    first = folder / plans[0].label / seed_folder(runs[0].seed) / LAST_CHECKPOINT
    console.print(f"every seed: {path}\ncheckpoint: {first}", soft_wrap=True, highlight=False)


def _measured(plan: Plan, runs: Sequence[Run]) -> Measured:
    return Measured(plan, runs, [read_predictions(run.predictions) for run in runs])


def _spreads(measured: Sequence[Measured]) -> Table:
    """Return the table with the mean and standard deviation of every test metric over the seeds."""
    names = sorted(measured[0].runs[0].metrics, key=lambda name: not _by_shot(name))
    table = Table(title=f"test set, mean and standard deviation over {_seeds(measured)}")
    table.add_column("metric")
    for item in measured:
        table.add_column(item.plan.title, justify="right")
    for name in names:
        table.add_row(name.removeprefix("test_"), *(_spread(item.runs, name) for item in measured))
    return table


def _differences(measured: Sequence[Measured]) -> Table:
    """Return the table with the difference of each configuration to the first, with a paired interval."""
    first, *others = measured
    one_seed = "; one seed: the intervals leave out the spread between trainings" if len(first.runs) == 1 else ""
    table = Table(
        title=f"difference to {first.plan.title}, test set, mean over {_seeds(measured)}",
        caption=f"95 % intervals of {DRAWS:,} paired draws of samples and seeds, not corrected for the number of rows"
        f"{one_seed}",
    )
    table.add_column("metric")
    for item in others:
        table.add_column(item.plan.title, justify="right")
    for name in (name for name in first.runs[0].metrics if _by_shot(name)):
        metric = parse_metric(name)
        table.add_row(name.removeprefix("test_"), *(_difference(first, item, metric) for item in others))
    return table


def _difference(first: Measured, other: Measured, name: MetricName) -> str:
    """Return the difference of a metric to the first configuration with its interval, or why there is none."""
    target = first.predictions[0].target
    chosen = np.ones(len(target), dtype=bool)
    if name.shot not in (None, ALL):
        chosen = first.predictions[0].shots.of(target) == SHOTS.index(str(name.shot))
    ours, theirs = (np.stack([each.prediction[chosen] for each in item.predictions]) for item in (first, other))
    if not chosen.any():
        return "no samples"
    if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return "not finite"
    try:
        difference = paired_bootstrap(target[chosen], theirs, ours, name.metric.of, draws=DRAWS)
    except UndefinedMetricError:
        return "undefined"
    return f"{difference.value:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def _ledger_line(measured: Sequence[Measured], folder: Path) -> str:
    """Return the line about the configurations that have read the test split."""
    first = measured[0].predictions[0]
    ledger = Ledger.of(first.config["data"].get("root"), folder)
    shown = {each.configuration for item in measured for each in item.predictions}
    return ledger.line(first.data, first.samples, shown)


def _write_csv(runs: Sequence[Run], folder: Path) -> Path:
    """Write the test metrics of every training to a file, and return the file."""
    path = folder / TEST_RESULTS
    columns = list(dict.fromkeys(name for run in runs for name in run.metrics))
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["method", "seed", "epoch", *columns])
        writer.writerows(
            [run.label, run.seed, run.epoch, *(run.metrics.get(name, "") for name in columns)] for run in runs
        )
    return path


def _seeds(measured: Sequence[Measured]) -> str:
    count = len(measured[0].runs)
    return f"{count} seed{'s' * (count > 1)}"


def _by_shot(name: str) -> bool:
    """Return whether a metric has a value for each shot and is not a diagnostic (oracle) metric."""
    parsed = find_metric(name)
    return parsed is not None and parsed.shot is not None and not parsed.oracle


def _spread(runs: Sequence[Run], name: str) -> str:
    values = np.array([run.metrics[name] for run in runs if name in run.metrics])
    if not len(values):
        return ""
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f}" if len(values) > 1 else f"{values.mean():.3f}"
