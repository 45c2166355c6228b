"""Precision of a benchmark before it starts: which differences between rows its replications can show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from groupdir.config.benchmark import Benchmark
from groupdir.errors import DataError
from groupdir.files.benchmark_pack import read_benchmark
from groupdir.files.study_files import BENCHMARK
from groupdir.metrics import ALL, SHOTS, metric_name, parse_metric
from launch.replications import (
    ALPHA,
    POWER,
    detectable_difference,
    least_significant_difference,
    noise_between_blocks,
    replications_for,
)

Noise = dict[str, float]
"""Metric without its split -> standard deviation of a row between blocks, in the unit of the tables."""


def precision_text(benchmark: Benchmark, folder: Path, noise_from: Path | None, detect: float | None) -> str:
    """Return which difference between two rows the replications show, and how many replications a difference needs.

    Args:
        benchmark: The benchmark.
        folder: Folder of the benchmark. The noise is estimated from its finished blocks without `noise_from`.
        noise_from: Folder or pack of an earlier benchmark, or None.
        detect: Difference that should be shown in the metric that selects the trials, in the unit of the tables, or
            None.

    Raises:
        ConfigError: If `detect` needs too many replications.
        DataError: If `noise_from` is no benchmark, or has no two finished blocks of two rows.
    """
    replications = benchmark.config.replications
    names = _metrics(benchmark.config.select)
    source = noise_from or folder
    noise = _noise(source, names, needed=noise_from is not None)
    lines = [f"replications: {replications}" + ("; rows cannot be compared with one block" * (replications == 1))]
    if not noise:
        text = "unknown until 2 blocks of 2 rows are measured; --noise-from takes it from another benchmark"
        return "\n".join([*lines, f"noise between blocks: {text}"])
    values = ", ".join(f"{value:.3g} {_shown(name)}" for name, value in noise.items())
    lines.append(f"noise between blocks: {values} (standard deviation of a row, from {source})")
    if replications > 1:
        lines += _differences(noise, replications)
    if detect is not None and names[0] in noise:
        count = replications_for(detect, noise[names[0]])
        shown = f"to be shown with a probability of {100 * POWER:g} %"
        lines.append(f"a true difference of {detect:g} {_shown(names[0])} needs {count} replications {shown}")
    return "\n".join(lines)


def _differences(noise: Noise, replications: int) -> list[str]:
    """Return the lines about the differences that some replications show."""
    significant = ", ".join(
        f"{least_significant_difference(value, replications):.2g} {_shown(name)}" for name, value in noise.items()
    )
    detectable = ", ".join(
        f"{detectable_difference(value, replications):.2g} {_shown(name)}" for name, value in noise.items()
    )
    return [
        f"two rows are called different at {significant} (paired t-test, {100 * ALPHA:g} % level)",
        f"a true difference of {detectable} is shown with a probability of {100 * POWER:g} %",
    ]


def _metrics(select: str) -> list[str]:
    """Return the metric that selects the trials, and the same metric of few-shot labels, without the split."""
    _, metric, shot, _ = parse_metric(select)
    return [metric_name("", metric.name, each) for each in ((ALL, SHOTS[-1]) if shot == ALL else (shot,))]


def _noise(source: Path, names: Sequence[str], *, needed: bool) -> Noise:
    """Return the noise between the blocks of a benchmark, for each metric that has it.

    Raises:
        DataError: If it is needed and no metric has it.
    """
    if not needed and not (source / BENCHMARK).is_file():
        return {}
    try:
        record = read_benchmark(source)
    except DataError:
        if needed:
            raise
        return {}
    noise = {}
    for name in names:
        values = record.complete_blocks(name).values
        if min(values.shape) >= 2:
            noise[name] = parse_metric(name).metric.factor * noise_between_blocks(values)
    if needed and not noise:
        raise DataError(f"{source}: the noise between blocks needs 2 finished blocks of 2 rows: name another benchmark")
    return noise


def _shown(name: str) -> str:
    """Return a metric as a table shows it.

    >>> _shown("mae_few")
    'MAE few'
    """
    _, metric, shot, _ = parse_metric(name)
    return f"{metric.heading or metric.title}{'' if shot is None else f' {shot}'}"
