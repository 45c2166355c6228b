"""Tables of the configurations that `groupdir train` has measured: their test metrics and their differences."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from groupdir.bootstrap.difference import Difference
from groupdir.bootstrap.hierarchical import Resampled, resample
from groupdir.bootstrap.settings import DRAWS
from groupdir.command_line.console import new_console, say_on
from groupdir.commands.plans import Plan
from groupdir.commands.rerun import Run, number
from groupdir.commands.verdict import UNCOMPARED, VERDICT_METRIC, next_lines, result_lines, verdict_lines
from groupdir.errors import DataError
from groupdir.files.ledger import Ledger
from groupdir.files.predictions import SavedPredictions, check_same_samples, read_predictions
from groupdir.files.study_files import LAST_CHECKPOINT, TEST_RESULTS, seed_folder
from groupdir.files.write_whole import whole_file
from groupdir.metrics import ALL, METRICS, SHOTS, find_metric, metric_name, parse_metric, shot_metrics

DECIMALS = 3
"""Number of decimals of a value, and largest number of decimals of an interval."""


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

    @property
    def finite(self) -> bool:
        """Return whether every prediction is a finite number."""
        return all(np.isfinite(each.prediction).all() for each in self.predictions)


def report(plans: Sequence[Plan], runs: Sequence[Run], folder: Path, again: Sequence[object] = ()) -> None:
    """Print the test metrics of configurations, their differences to the first one, and what these show.

    The metrics of every training are written to `test.csv`.

    Args:
        plans: Configurations.
        runs: Their trainings.
        folder: Folder of the trainings.
        again: Words of the command that trains the first configuration again, without those about its seeds and its
            folder; empty if nobody knows it.

    Raises:
        DataError: If the predictions are not for the same samples and seeds, or a file is broken or belongs to another
            training.
    """
    measured = [_measured(plan, [run for run in runs if run.label == plan.label]) for plan in plans]
    everything = [(item.plan.label, each) for item in measured for each in item.predictions]
    check_same_samples([label for label, _ in everything], [each for _, each in everything])
    _check_same_seeds(measured)
    resampled = _resampled(measured)
    console = new_console()
    console.print(_spreads(measured))
    if len(measured) > 1:
        console.print(_differences(measured, resampled))
    say_on(console, _ledger_line(measured, folder))
    path = _write_csv(runs, folder)
    first = folder / plans[0].label / seed_folder(runs[0].seed) / LAST_CHECKPOINT
    say_on(console, f"every seed: {path}\ncheckpoint: {first}")
    by_shot = {shot: metrics[VERDICT_METRIC] for shot, metrics in resampled.items()}
    finite = [item.plan for item in measured if item.finite]
    lines = result_lines([plan.title for plan in finite], by_shot)
    lines += [f"{item.plan.title}: a prediction is not finite" for item in measured if not item.finite]
    if len(measured) == 1:
        lines += [UNCOMPARED]
    elif measured[0].finite:
        lines += verdict_lines(finite, by_shot)
    say_on(console, "\n".join(["", *lines, *next_lines(plans, folder, first, again)]))


def _measured(plan: Plan, runs: Sequence[Run]) -> Measured:
    predictions = [read_predictions(run.predictions) for run in runs]
    for run, each in zip(runs, predictions, strict=True):
        if complaint := _complaint(plan, run, each):
            raise DataError(f"{run.predictions}: {complaint}: delete the file and continue with --resume")
    return Measured(plan, runs, predictions)


def _complaint(plan: Plan, run: Run, predictions: SavedPredictions) -> str | None:
    """Return why predictions are not those of a training, or None."""
    wanted = (plan.config.digest_without_seed, run.seed)
    if (predictions.configuration, predictions.seed) != wanted:
        return (
            f"must hold the predictions of configuration {wanted[0]} with seed {wanted[1]}, got configuration "
            f"{predictions.configuration} with seed {predictions.seed}"
        )
    for name, value in shot_metrics(predictions.prediction, predictions.target, predictions.shots).items():
        measured = run.metrics.get(f"test_{name}", value)
        if not np.isclose(value, measured, rtol=1e-9, atol=0, equal_nan=True):
            return f"must give the test metrics of the training, but {name} is {value:g} instead of {measured:g}"
    return None


def _check_same_seeds(measured: Sequence[Measured]) -> None:
    """Refuse configurations that were not trained on the same seeds, because their seeds are compared in pairs."""
    first, *others = ([run.seed for run in item.runs] for item in measured)
    for item, seeds in zip(measured[1:], others, strict=True):
        if seeds != first:
            raise DataError(
                f"configurations must be trained on the same seeds, but {measured[0].plan.label} has "
                f"{', '.join(map(str, first))} and {item.plan.label} has {', '.join(map(str, seeds))}: train both "
                "again with the same --seeds"
            )


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


def _differences(measured: Sequence[Measured], resampled: Mapping[str, Mapping[str, Resampled]]) -> Table:
    """Return the table with the difference of each configuration to the first, with a paired interval."""
    first, *others = measured
    single = len(first.runs) == 1
    over = "samples only: with one seed, they leave out the spread between trainings" if single else "samples and seeds"
    table = Table(
        title=f"difference to {first.plan.title}, test set, mean over {_seeds(measured)}",
        caption=f"95 % intervals over {over}; {DRAWS:,} paired draws, not corrected for the number of rows",
    )
    table.add_column("metric")
    for item in others:
        table.add_column(item.plan.title, justify="right")
    differences = _to_first(measured, resampled) if first.finite else {}
    for name in (name for name in first.runs[0].metrics if _by_shot(name)):
        cells = (
            difference_text(differences.get((item.plan.label, name))) if first.finite and item.finite else "not finite"
            for item in others
        )
        table.add_row(name.removeprefix("test_"), *cells)
    return table


def _resampled(measured: Sequence[Measured]) -> dict[str, dict[str, Resampled]]:
    """Return the metrics of the configurations with finite predictions on resampled samples, by shot with samples.

    A single configuration has that of the verdict only, because all of them take long on a large test set.
    """
    items = [item for item in measured if item.finite]
    if not items:
        return {}
    target, shots = items[0].predictions[0].target, items[0].predictions[0].shots
    codes = shots.of(target)
    members = {ALL: np.ones(len(target), dtype=bool)} | {name: codes == code for code, name in enumerate(SHOTS)}
    predictions = np.stack([[each.prediction for each in item.predictions] for item in items])
    metrics = list(dict.fromkeys(parse_metric(name).metric for name in items[0].runs[0].metrics if _by_shot(name)))
    if len(measured) == 1:
        metrics = [METRICS[VERDICT_METRIC]]
    return {
        shot: resample(metrics, predictions[:, :, chosen], target[chosen].astype(np.float64))
        for shot, chosen in members.items()
        if chosen.any()
    }


def _to_first(
    measured: Sequence[Measured], resampled: Mapping[str, Mapping[str, Resampled]]
) -> dict[tuple[str, str], Difference]:
    """Return the differences to the first configuration by label and column, of shots that have samples."""
    items = [item for item in measured if item.finite]
    return {
        (item.plan.label, metric_name("test", name, shot)): values.difference(index, 0)
        for shot, metrics in resampled.items()
        for name, values in metrics.items()
        for index, item in enumerate(items)
    }


def difference_text(difference: Difference | None) -> str:
    """Return a difference with its interval, or a dash if the metric has no value.

    The last digit of the interval is at least 1 % of its width, which other draws of the bootstrap hardly change.
    """
    if difference is None or not np.isfinite(difference.value):
        return "-"
    width = difference.high - difference.low
    if not np.isfinite(width):
        return f"{difference.value:+.{DECIMALS}f} [-, -]"
    decimals = DECIMALS if width <= 0 else min(DECIMALS, max(0, math.floor(2 - math.log10(width))))
    low, high = (f"{end:+.{decimals}f}" for end in (difference.low, difference.high))
    return f"{difference.value:+.{DECIMALS}f} [{low}, {high}]"


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
    """Return mean and standard deviation over seeds, a dash without a value, or nothing for a method without it."""
    values = np.array([run.metrics[name] for run in runs if name in run.metrics])
    if not len(values):
        return ""
    if len(values) == 1 or np.isnan(values).any():
        return number(float(values.mean()))
    return f"{values.mean():.{DECIMALS}f} ± {values.std(ddof=1):.{DECIMALS}f}"
