"""What a YAML would run, and what there is to run, in words."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path

from groupdir.config import TrialConfig
from groupdir.registry import TABLES, resolve
from groupdir.space import StudyConfig, load_study
from groupdir.yamlfile import Document

TITLES = {"method": "methods", "data": "data sets", "encoder": "encoders"}


def describe(file: Path, overrides: Sequence[str] = ()) -> str:
    """Validates a trial's or a study's YAML and says what it would run.

    Raises:
        ConfigError: Every mistake of the file at once.
    """
    if "search" in Document.read(file).data:
        return _study(load_study(file, overrides))
    config = TrialConfig.load(file, overrides)
    head = f"{file}: a trial, digest {config.digest}; run it with `groupdir train {file}`"
    return f"{head}\n\n{config.to_yaml().rstrip()}"


def _study(study: StudyConfig) -> str:
    search = study.search
    lines = [f"{study.file}: a study named {study.name}; run it with `python -m launch search {study.file}`", ""]
    lines.append(f"open leaves ({len(study.space.leaves)}):")
    lines += [f"  {name:32s} {domain}" for name, domain in study.space.leaves.items()]
    goals = ", ".join(f"{name} ({direction})" for name, direction in search.objectives.items())
    lines += ["", f"objectives: {goals}", f"trials: {search.trials}, sampler {search.sampler.name}"]
    scheduler = search.scheduler
    rule = f", on {scheduler.metric} from epoch {scheduler.grace_period}, one in {scheduler.reduction_factor:g} goes on"
    lines.append(f"scheduler: {scheduler.name}" + (rule if scheduler.name != "none" else ""))
    if search.ablations:
        lines.append(f"ablations: {', '.join(search.ablations)} on {search.ablation_seeds} seeds, after the search")
    return "\n".join(lines)


def catalogue() -> str:
    """Every registered method, data set and encoder with the first line of its docstring."""
    lines = []
    for kind, table in TABLES.items():
        lines.append(f"{TITLES[kind]}:")
        lines += [f"  {name:12s} {(inspect.getdoc(resolve(kind, name)) or '').splitlines()[0]}" for name in table]
    return "\n".join(lines)
