"""Benchmark of methods: a study per row under one budget, then each chosen trial measured on the test set."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from groupdir.command_line.next_command import next_command
from groupdir.command_line.program import INTERRUPTED
from groupdir.commands.plans import Plan
from groupdir.commands.rerun import rerun
from groupdir.config.benchmark import Benchmark, BenchmarkConfig, Row, load_benchmark
from groupdir.config.trial import TrialConfig
from groupdir.errors import ConfigError, DataError, MethodError
from groupdir.files.parquet import read_parquet
from groupdir.files.schema import refuse_old_benchmark
from groupdir.files.study_files import BENCHMARK, CHOSEN, CONFIRMED, TRIALS, results_folder, space_file
from groupdir.files.write_whole import write_whole
from groupdir.metrics import parse_metric, sign
from groupdir.registry import did_you_mean


def run_benchmark(
    file: str | Path,
    overrides: Sequence[str] = (),
    out: str | Path | None = None,
    only: Sequence[str] = (),
    jobs: int | None = None,
    skip_doctor: bool = False,
    quiet: bool = False,
) -> int:
    """Search every row of a benchmark and train its chosen trial on several seeds, or train every trial of a grid.

    Finished rows are kept: the same call continues an interrupted benchmark.

    Args:
        file: Benchmark, such as search_spaces/baselines/table1_digits.yaml.
        overrides: `address=value` texts, as for `--set`.
        out: Folder of the benchmark; by default `results/<its name>`.
        only: Labels of the rows to run; all if empty.
        jobs: Number of simultaneous trainings of the chosen trials; None: one per core, or one on a GPU.
        skip_doctor: Whether to skip the examination of a cluster before each search.
        quiet: Whether to print no progress.

    Returns:
        The exit code: 0, 1 if a row failed (the other rows still run), 130 if the benchmark was interrupted.

    Raises:
        GroupdirError: If a file has mistakes, the data cannot be used, or the folder holds another benchmark.
    """
    benchmark = load_benchmark(file, overrides)
    rows = _wanted(benchmark, only)
    folder = results_folder(benchmark.name, out)
    _write_files(benchmark, folder)
    failed = []
    for number, row in enumerate(rows, 1):
        if not quiet:
            print(f"\n[{number}/{len(rows)}] {row.label}", flush=True)
        try:
            code = _run_row(row, benchmark.config, file, folder, jobs, skip_doctor, quiet)
        except (DataError, MethodError) as error:  # no trial finished, or the method does not fit
            print(f"{row.label}: {error}", file=sys.stderr)
            code = 1
        if code == INTERRUPTED:
            return code
        if code != 0:
            failed.append(row.label)
    print(f"\nnext: {next_command('benchmark-table', folder)}")
    if failed:
        print(f"{len(failed)} of {len(rows)} rows failed, see above: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _run_row(
    row: Row,
    config: BenchmarkConfig,
    file: str | Path,
    folder: Path,
    jobs: int | None,
    skip_doctor: bool,
    quiet: bool,
) -> int:
    """Search a row and measure its chosen trial. Return the exit code of the search; without 0 nothing is measured."""
    chosen = row.config
    if row.study is not None:
        code = _search(row, folder, skip_doctor, quiet)
        if code != 0:
            return code
        chosen = choose(folder / row.folder, config.select)
    assert chosen is not None
    confirmed = folder / CONFIRMED / row.folder
    rerun(
        [Plan(chosen.method.name, chosen)],
        seeds=config.seeds,
        folder=confirmed,
        command=next_command("benchmark", file),
        jobs=jobs,
        resume=True,
        quiet=quiet,
    )
    return 0


def choose(study: Path, metric: str) -> TrialConfig:
    """Return the configuration of the finished trial with the best value of a metric, and write it before any test.

    Args:
        study: Folder of the study.
        metric: Metric such as `val_mae_all`, at the selected epoch of each trial.

    Raises:
        DataError: If no trial finished, or the study has no such metric.
    """
    path = study / TRIALS
    content, footer = read_parquet(path)
    rows = [
        row
        for row in content.to_pylist()
        if row["role"] == "search" and row["status"] == "finished" and _finite(row.get(metric))
    ]
    if not rows:
        raise DataError(f"{path}: no finished trial has a {metric}: see the messages of the search, then run it again")
    best = min(rows, key=lambda row: (sign(metric) * row[metric], row["trial"]))
    config = TrialConfig.from_dict(footer["configs"][str(best["trial"])], f"{path}: trial {best['trial']}")
    word = parse_metric(metric).metric.best
    head = f"# trial {best['trial']} of {len(rows)} finished: the {word} {metric}, {best[metric]:.6g}\n"
    write_whole(study / CHOSEN, head + config.to_yaml())
    return config


def _finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _wanted(benchmark: Benchmark, only: Sequence[str]) -> list[Row]:
    labels = [row.label for row in benchmark.rows]
    if unknown := [label for label in only if label not in labels]:
        raise ConfigError(f"--only {unknown[0]}: unknown row: {did_you_mean(unknown[0], labels)}")
    return [row for row in benchmark.rows if not only or row.label in only]


def _write_files(benchmark: Benchmark, folder: Path) -> None:
    """Write the benchmark's file and the search space of each row that is searched, unless they exist already."""
    rows = [{"label": row.label, "folder": row.folder, "cell": dict(row.cell)} for row in benchmark.rows]
    content = {
        "name": benchmark.name,
        "data": benchmark.document.data.get("data"),
        "benchmark": benchmark.config.model_dump(),
        "rows": rows,
    }
    refuse_old_benchmark(folder)
    files = {BENCHMARK: yaml.safe_dump(content, sort_keys=False, allow_unicode=True)}
    files |= {space_file(row.folder): row.study.to_yaml() for row in benchmark.rows if row.study is not None}
    different = [name for name, text in files.items() if (folder / name).is_file() and _read(folder / name) != text]
    if different or (folder.exists() and not (folder / BENCHMARK).is_file()):
        what = f"holds another {different[0]}" if different else "exists and is no benchmark"
        raise ConfigError(f"{folder}: {what}, and nothing is overwritten: choose another --out, or remove the folder")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_whole(folder / name, text)


def _search(row: Row, folder: Path, skip_doctor: bool, quiet: bool) -> int:
    from launch.search import resume, search

    study = folder / row.folder
    if (study / CHOSEN).is_file():
        return 0
    if study.exists():
        return resume(study, skip_doctor, quiet=quiet)
    return search(folder / space_file(row.folder), (), study, skip_doctor, quiet)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
