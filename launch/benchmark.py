"""Benchmark of methods: a study per row under one budget, then each chosen trial measured on the test set."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from groupdir.command_line.console import say
from groupdir.command_line.next_command import next_command
from groupdir.command_line.program import INTERRUPTED
from groupdir.command_line.signals import interruptible
from groupdir.commands.describe import benchmark_text
from groupdir.commands.plans import Plan
from groupdir.commands.prestart import notes_text, refuse_benchmark
from groupdir.commands.rerun import rerun
from groupdir.config.benchmark import Benchmark, BenchmarkConfig, Row, load_benchmark
from groupdir.config.replications import measured_seed
from groupdir.config.trial import TrialConfig
from groupdir.errors import ConfigError, DataError, MethodError
from groupdir.files.benchmark_record import block_path
from groupdir.files.sealed import seal_text
from groupdir.files.study_files import CHOSEN, CONFIRMED, results_folder, space_file
from groupdir.files.write_whole import write_whole
from groupdir.metrics import parse_metric
from groupdir.registry import did_you_mean
from groupdir.study.read import ReadStudy, read_study
from groupdir.values.of_study import values_of
from groupdir.values.words import trainings_text, value_text
from launch.screen.counts import phase_counts
from launch.screen.plan import most_epochs
from launch.screen.precision import precision_text
from launch.screen.summary import unfinished
from launch.study.benchmark_folder import in_block, write_benchmark_files


def run_benchmark(
    file: str | Path,
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    only: Sequence[str] = (),
    jobs: int | None = None,
    skip_doctor: bool = False,
    quiet: bool = False,
    noise_from: Path | None = None,
    detect: float | None = None,
) -> int:
    """Search every row of a benchmark and train its chosen trial on several seeds, or train every trial of a grid.

    With replications, all rows of a block are finished before the next block begins. Finished rows are kept: the same
    call continues an interrupted benchmark.

    Args:
        file: Benchmark, such as search_spaces/baselines/table1_digits.yaml.
        overrides: `address=value` texts, as for `--set`.
        out: Folder of the benchmark; by default `results/<its name>`.
        only: Labels of the rows to run; all if empty.
        jobs: Number of simultaneous trainings of the chosen trials; None: one per core, or one on a GPU.
        skip_doctor: Whether to skip the examination of a cluster before each search.
        quiet: Whether to print no progress.
        noise_from: Folder or pack of an earlier benchmark; see `precision_text`.
        detect: Difference between two rows that should be shown; see `precision_text`.

    Returns:
        The exit code: 0, 1 if a row failed (the other rows still run), 130 if the benchmark was interrupted.

    Raises:
        GroupdirError: If a file has mistakes, the data cannot be used, or the folder holds another benchmark.
    """
    command = next_command("benchmark", file, *_options(overrides, out, only, jobs, skip_doctor, quiet))
    try:
        with interruptible("stopping the benchmark"):
            return _run(file, overrides, out, only, jobs, skip_doctor, quiet, noise_from, detect, command)
    except KeyboardInterrupt:
        say(f"interrupted: continue with `{command}`", err=True)
        return INTERRUPTED


def _run(
    file: str | Path,
    overrides: Sequence[str],
    out: str | Path | None,
    only: Sequence[str],
    jobs: int | None,
    skip_doctor: bool,
    quiet: bool,
    noise_from: Path | None,
    detect: float | None,
    command: str,
) -> int:
    """Run a benchmark as `run_benchmark`, and raise KeyboardInterrupt if a signal comes outside of a search."""
    benchmark = load_benchmark(file, overrides)
    rows = _wanted(benchmark, only)
    folder = results_folder(benchmark.name, out)
    notes = refuse_benchmark(benchmark, here=not os.environ.get("RAY_ADDRESS"))
    write_benchmark_files(benchmark, folder)
    if not quiet:
        say(precision_text(benchmark, folder, noise_from, detect) + notes_text(notes))
    blocks = benchmark.config.replications
    jobs_of_rows = [(block, row) for block in range(1, blocks + 1) for row in rows]  # so that whole blocks finish first
    failed = []
    for number, (block, row) in enumerate(jobs_of_rows, 1):
        label = row.label if blocks == 1 else f"{row.label}, block {block} of {blocks}"
        if not quiet:
            say(f"\n[{number}/{len(jobs_of_rows)}] {label}")
        try:
            seeded = in_block(benchmark, row, block)
            place = block_path(folder, block, blocks)
            code = _run_row(seeded, block, benchmark.config, command, place, jobs, skip_doctor, quiet)
        except (DataError, MethodError) as error:  # no trial finished, or the method does not fit
            say(f"{label}: {error}", err=True)
            code = 1
        if code == INTERRUPTED:
            return code
        if code != 0:
            failed.append(label)
    say(f"\nnext: {next_command('benchmark-table', folder)}")
    if failed:
        what = "rows" if blocks == 1 else "rows and blocks"
        say(f"{len(failed)} of {len(jobs_of_rows)} {what} failed, see above: {'; '.join(failed)}", err=True)
    return 1 if failed else 0


def plan_benchmark(
    file: Path, overrides: Sequence[str], out: str | Path | None, noise_from: Path | None, detect: float | None
) -> str:
    """Return the description of a benchmark with its budget and its precision, for `--dry-run`.

    Args:
        file: Benchmark.
        overrides: `address=value` texts, as for `--set`.
        out: Folder of the benchmark; by default `results/<its name>`.
        noise_from: Folder or pack of an earlier benchmark; see `precision_text`.
        detect: Difference between two rows that should be shown; see `precision_text`.
    """
    benchmark = load_benchmark(file, overrides)
    folder, blocks = results_folder(benchmark.name, out), benchmark.config.replications
    studies = [row.study for row in benchmark.rows if row.study is not None]
    trials = blocks * sum(study.search.trials for study in studies)
    epochs = blocks * sum(map(most_epochs, studies))
    measured = blocks * len(benchmark.rows) * benchmark.config.seeds
    lines = [benchmark_text(benchmark, file), "", f"folder: {folder}"]
    searches = f"{trials:,} trials with at most {epochs:,} epochs in the searches, then " if studies else ""
    lines.append(f"budget: {searches}{measured:,} trainings that are measured")
    notes = refuse_benchmark(benchmark, here=not os.environ.get("RAY_ADDRESS"))
    return "\n".join([*lines, precision_text(benchmark, folder, noise_from, detect)]) + notes_text(notes)


def _run_row(
    row: Row,
    block: int,
    config: BenchmarkConfig,
    again: str,
    folder: Path,
    jobs: int | None,
    skip_doctor: bool,
    quiet: bool,
) -> int:
    """Search a row in the folder of a block and measure its chosen trial, on seeds that no other block uses.

    Return the exit code of the search; unless it is 0, nothing is measured. It is 130 if the measurement was ended.
    """
    chosen = row.config
    if row.study is not None:
        code = _search(row, folder, skip_doctor, quiet, again)
        if code != 0:
            return code
        chosen = choose(folder / row.folder, config.select)
        if early := early_end(read_study(folder / row.folder)):
            say(f"{row.label}: {early}", err=True)
    assert chosen is not None
    confirmed = folder / CONFIRMED / row.folder
    try:
        rerun(
            [Plan(chosen.method.name, chosen.with_seed(measured_seed(chosen, block, config.seeds)))],
            seeds=config.seeds,
            folder=confirmed,
            command=again,
            again=again,
            jobs=jobs,
            resume=True,
            quiet=quiet,
        )
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def choose(study: Path, metric: str) -> TrialConfig:
    """Return the configuration of a study with the best estimate of a metric, and write it to `chosen.yaml`.

    Args:
        study: Folder of the study.
        metric: Metric such as `val_mae_all`, at the selected epoch of each trial.

    Raises:
        DataError: If no trial finished, or the study has no such metric.
    """
    read = read_study(study)
    values = values_of(read.config, read.state)
    candidates = values.kept(read.config.search.keeps)
    costs = values.of(metric).costs[candidates]
    if not np.isfinite(costs).any():
        what = f"has a {metric}"
        if len(candidates) < len(values.configurations):
            what = f"satisfies search.constraints and {what}"
        raise DataError(f"{study}: no finished trial {what}: see the messages of the search, then run it again")
    index = int(candidates[np.nanargmin(costs)])
    trial, value = values.trials[index], values.of(metric).value(index)
    config = TrialConfig.from_dict(read.state.trials[trial].config, f"{study}: trial {trial}")
    known = int(np.isfinite(costs).sum())
    text = f"{value_text(value)}, {trainings_text(value.trainings)}"
    word = parse_metric(metric).metric.best
    head = f"# trial {trial} of {known} configurations: the {word} {metric} by its estimate, {text}\n"
    if early := early_end(read):
        head += f"# {early}\n"
    write_whole(study / CHOSEN, seal_text(head + config.to_yaml()))
    return config


def early_end(study: ReadStudy) -> str:
    """Return what a study has not trained because its time was up, or an empty text if it ran to its end."""
    if not unfinished(study.config, study.state):
        return ""
    counts = "; ".join(map(str, phase_counts(study.config, study.state, active=False, settled=True)))
    return f"chosen before the end of the search, because search.max_hours was reached: {counts}"


def _wanted(benchmark: Benchmark, only: Sequence[str]) -> list[Row]:
    labels = [row.label for row in benchmark.rows]
    if unknown := [label for label in only if label not in labels]:
        raise ConfigError(f"--only {unknown[0]}: unknown row: {did_you_mean(unknown[0], labels)}")
    return [row for row in benchmark.rows if not only or row.label in only]


def _options(
    overrides: Sequence[str],
    out: str | Path | None,
    only: Sequence[str],
    jobs: int | None,
    skip_doctor: bool,
    quiet: bool,
) -> list[object]:
    """Return the options of `groupdir benchmark` with which the same benchmark continues."""
    options: list[object] = [word for text in overrides for word in ("--set", text)]
    options += [] if out is None else ["--out", out]
    options += [word for label in only for word in ("--only", label)]
    options += [] if jobs is None else ["--jobs", jobs]
    return options + ["--skip-doctor"] * skip_doctor + ["--quiet"] * quiet


def _search(row: Row, folder: Path, skip_doctor: bool, quiet: bool, again: str) -> int:
    """Search a row in the folder of its block, or continue its search, unless its trial was chosen already."""
    from launch.search import resume, search

    study = folder / row.folder
    if (study / CHOSEN).is_file():
        return 0
    if study.exists():
        return resume(study, skip_doctor, quiet=quiet, again=again)
    return search(folder / space_file(row.folder), (), study, skip_doctor, quiet, again)
