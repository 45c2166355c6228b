"""Description of the trial, study or benchmark in a YAML file."""

from __future__ import annotations

from pathlib import Path

from groupdir.command_line.next_command import next_command
from groupdir.commands.loaded import Loaded
from groupdir.config.benchmark import Benchmark
from groupdir.config.datasets import DATA_SEEDS
from groupdir.config.domains import domain_text
from groupdir.config.replications import data_seeds
from groupdir.config.space import StudyConfig
from groupdir.rules import rules_of_objectives


def describe(loaded: Loaded) -> str:
    """Describe the trial, study or benchmark of a YAML file."""
    plan, file = loaded.plan, loaded.file
    if isinstance(plan, Benchmark):
        return benchmark_text(plan, file)
    if isinstance(plan, StudyConfig):
        return "\n".join(study_lines(plan))
    head = f"{file}: a trial, digest {plan.digest}; run it with `{next_command('train', file)}`"
    return f"{head}\n\n{plan.to_yaml().rstrip()}"


def study_lines(study: StudyConfig) -> list[str]:
    """Describe the configuration of a study: parameters, objectives, constraints, trials, sampler and scheduler.

    `groupdir check` prints these lines. `groupdir search --dry-run` prints them and adds the cost of the search.
    """
    search = study.search
    lines = [f"{study.file}: a study named {study.name}; run it with `{next_command('search', study.file)}`", ""]
    lines.append(f"parameters ({len(study.space.parameters)}):")
    lines += [f"  {name:32s} {domain_text(domain)}" for name, domain in study.space.parameters.items()]
    lines.append("")
    lines.append("objectives: " + ", ".join(f"{name} ({direction})" for name, direction in search.objectives.items()))
    if search.constraints:
        lines.append("constraints: " + ", ".join(f"{name} {bound}" for name, bound in search.constraints.items()))
    lines.append(f"trials: {search.trials}")
    lines.append("seeds: " + ("a seed of its own for each trial" if search.seeds == "own" else "one for all trials"))
    if drawn := [address for address in study.space.open if address in DATA_SEEDS]:
        lines.append(f"data: {' and '.join(drawn)} varies, so that trials differ in their data too")
    lines += [f"sampler: {search.sampler.text}", f"scheduler: {search.scheduler.text}"]
    if search.confirm:
        rules = ", ".join(search.confirm.rules or rules_of_objectives(list(search.objectives)))
        until = f"until each choice is the best with probability {search.confirm.stop:g}"
        spent = f"or {search.confirm.share:.0%} of the epochs of the search are spent".replace("%", " %")
        lines.append(f"confirmation: fresh seeds for the contenders of {rules}, {until}, {spent}")
    if search.ablations:
        count = search.ablation_trials
        names = ", ".join(["as chosen", *search.ablations])
        lines.append(f"ablations: {count} trials after the search, {search.ablation_seeds} seeds each: {names}")
    return lines


def benchmark_text(benchmark: Benchmark, file: Path) -> str:
    """Describe a benchmark: its rows, and how often each is measured."""
    config, rows = benchmark.config, benchmark.rows
    lines = [f"{file}: a benchmark named {benchmark.name}; run it with `{next_command('benchmark', file)}`", ""]
    if config.replications == 1:
        lines.append(f"{len(rows)} rows, each with {config.seeds} seeds on the test set:")
    else:
        seeds = f"{config.seeds} seed{'s' * (config.seeds > 1)}"
        text = f"{len(rows)} rows in {config.replications} blocks, which differ in {_of_blocks(benchmark)}"
        lines.append(f"{text}; in each block each row is measured with {seeds} on the test set:")
    for row in rows:
        if row.study is not None:
            search, parameters = row.study.search, row.study.space.parameters
            lines.append(
                f"  {row.label:16s} {search.trials} trials, {len(parameters)} parameters: {', '.join(parameters)}"
            )
        elif row.config is not None:
            lines.append(f"  {row.label:36s} digest {row.config.digest}")
    return "\n".join(lines)


def _of_blocks(benchmark: Benchmark) -> str:
    """Return the seeds that differ between blocks."""
    row = benchmark.rows[0]
    config = row.config if row.study is None else row.study.space.build(next(row.study.space.corners()))
    assert config is not None
    return ", ".join([*(["search.seed"] if row.study is not None else []), "seed", *data_seeds(config.data)])
