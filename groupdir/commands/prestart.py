"""Checks of a study or a trial before anything runs, from the YAML, the labels and this machine.

`groupdir check`, `groupdir search --dry-run`, `groupdir search` and `groupdir benchmark` all call `refuse_plan`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from groupdir.commands.data_concerns import Data, data_concerns
from groupdir.commands.loaded import Loaded, load_file
from groupdir.config.benchmark import Benchmark
from groupdir.config.concerns import Concern, plan_concerns
from groupdir.config.fit import misfits
from groupdir.config.space import StudyConfig
from groupdir.config.trial import TrialConfig
from groupdir.config.yamlfile import Document
from groupdir.data.base import Dataset
from groupdir.errors import ConfigError, Mistake
from groupdir.registry import TABLES, resolve

_ADDRESSED = re.compile(r"((?:data|encoder|method|optim|train)(?:\.\w+)*)(?: \(\S+\))?: (.+)", re.DOTALL)
"""Message that begins with an address in the YAML."""
MOST_REHEARSALS = 16
"""Most combinations of the ends of parameters that are rehearsed; with more, each end is rehearsed once."""
MOST_DATASETS = 4
"""Most data sets that are read, if the space leaves options of the data open."""


def refuse_plan(
    plan: StudyConfig | TrialConfig,
    document: Document,
    *,
    datasets: dict[str, Dataset] | None = None,
    here: bool = True,
    rehearse_all: bool = False,
) -> list[str]:
    """Refuse a study or a trial that cannot work, and return notes about one that makes little sense.

    Args:
        plan: The study, or a single trial.
        document: Its file, for messages.
        datasets: Data sets that are loaded already, by `data_key` of their options. Those that this call loads are
            added.
        here: Whether this machine will run it, so that it must have the resources. Otherwise missing ones are notes.
        rehearse_all: Whether to take a training step of each trial at a corner. Otherwise only trials whose parts the
            options do not describe completely take a step, because it needs torch.

    Returns:
        Notes, one for each line of the output.

    Raises:
        ConfigError: With all mistakes that were found.
        DataError: If the data are on this machine but cannot be read.
    """
    notes: list[str] = []
    datasets = {} if datasets is None else datasets
    study = plan if isinstance(plan, StudyConfig) else None
    if study is not None:
        _sort([*plan_concerns(study), *machine_concerns(study, here)], document, notes)
    elif isinstance(plan, TrialConfig):
        _sort([Concern(address, text) for address, text in misfits(plan).items()], document, notes)
    for trials in _by_data(plan):
        data = _read(trials, study, datasets, document, notes)
        if data is None:
            return notes
        _sort(data_concerns(data), document, notes)
        _sort(_rehearsals(data, rehearse_all), document, notes)
    return list(dict.fromkeys(notes))


def refuse_file(file: Path, overrides: Sequence[str] = (), *, here: bool = False) -> list[str]:
    """Check the trial, study or benchmark in a YAML file and return its notes; see `refuse_plan`.

    Args:
        file: YAML file.
        overrides: Strings `address=value`, as in `--set`.
        here: As for `refuse_plan`.
    """
    return refuse_loaded(load_file(file, overrides), here=here)


def refuse_loaded(loaded: Loaded, *, here: bool = False) -> list[str]:
    """Check the content of a YAML file and return its notes; see `refuse_plan`."""
    if isinstance(loaded.plan, Benchmark):
        return refuse_benchmark(loaded.plan, here=here)
    return refuse_plan(loaded.plan, loaded.document, here=here)


def refuse_benchmark(benchmark: Benchmark, *, here: bool = True) -> list[str]:
    """Check each row of a benchmark and return the notes, each once; see `refuse_plan`.

    Raises:
        ConfigError: With the mistakes of all rows. Each names its row.
    """
    notes: list[str] = []
    mistakes: list[Mistake] = []
    datasets: dict[str, Dataset] = {}
    for row in benchmark.rows:
        document = Document(f"{benchmark.document.name}: {row.label}", {}, {})
        plan = row.config if row.study is None else row.study
        assert plan is not None
        try:
            notes += refuse_plan(plan, document, datasets=datasets, here=here)
        except ConfigError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigError(mistakes)
    return list(dict.fromkeys(notes))


def data_key(config: TrialConfig) -> str:
    """Return a text that is equal for trials with equal data."""
    return config.data.model_dump_json()


def notes_text(notes: Iterable[str]) -> str:
    """Return the notes as lines of their own to append to a text."""
    return "".join(f"\nnote: {note}" for note in notes)


def machine_concerns(study: StudyConfig, here: bool) -> Iterator[Concern]:
    """Yield resources that a trial requests and this machine does not have.

    Args:
        study: The study.
        here: Whether this machine will run the study. A cluster is examined by the doctor instead.
    """
    resources, cores = study.search.resources, os.cpu_count() or 1
    if resources.cpu > cores:
        text = f"a trial requests {resources.cpu:g} CPUs, but this machine has {cores}: lower this number"
        yield Concern("search.resources.cpu", text, here)
    named = isinstance(resources.gpu, dict) or (not isinstance(resources.gpu, str) and resources.gpu > 0)
    on_gpu = [config for config in study.space.corner_trials if config.train.device.startswith("cuda")]
    if (named or on_gpu) and not _gpus():
        address = "search.resources.gpu" if named else "train.device"
        got = resources.gpu if named else on_gpu[0].train.device
        yield Concern(address, f"a trial requests a GPU, but this machine has none, got {got}: set gpu to auto", here)


def _gpus() -> int:
    """Return the number of GPUs that torch sees on this machine."""
    import torch

    return torch.cuda.device_count()


def _sort(concerns: Iterable[Concern], document: Document, notes: list[str]) -> None:
    """Append the notes among the concerns, and raise all others.

    Raises:
        ConfigError: If a concern is fatal.
    """
    fatal: list[Mistake] = []
    for concern in concerns:
        mistake = document.mistake(tuple(concern.address.split(".")), concern.text) if concern.address else None
        if concern.fatal:
            fatal.append(mistake or Mistake("", concern.text, document.name))
        else:
            notes.append(str(mistake or concern.text))
    if fatal:
        raise ConfigError(list(dict.fromkeys(fatal)))


def _by_data(plan: StudyConfig | TrialConfig) -> list[list[TrialConfig]]:
    """Return the trials at the corners, those with equal data together. The first corner stands first."""
    if isinstance(plan, TrialConfig):
        return [[plan]]
    groups: dict[str, list[TrialConfig]] = {}
    for config in map(plan.space.build, plan.space.corners(MOST_REHEARSALS)):
        groups.setdefault(data_key(config), []).append(config)
    return list(groups.values())[:MOST_DATASETS]


def _read(
    trials: Sequence[TrialConfig],
    study: StudyConfig | None,
    datasets: dict[str, Dataset],
    document: Document,
    notes: list[str],
) -> Data | None:
    """Return the data of some trials, or None with a note if this machine does not have the folder of the data."""
    section = trials[0].data
    root = getattr(section, "root", None)
    if root is not None and not Path(root).is_dir():
        mistake = document.mistake(("data", "root"), f"{root} is not on this machine, so the data were not checked")
        notes.append(str(mistake))
        return None
    key = data_key(trials[0])
    if key not in datasets:
        datasets[key] = resolve("data", section.name)(section)
    return Data.of(datasets[key], trials, None if study is None else study.search)


def _rehearsals(data: Data, every: bool) -> Iterator[Concern]:
    """Yield the failures of rehearsals, each once."""
    chosen: dict[str, TrialConfig] = {}
    for config in data.trials:
        if every or is_uncertain(config):
            parts = config.model_dump(mode="json", include={"encoder", "method", "optim"})
            chosen.setdefault(str(_without_floats(parts)), config)
    if not chosen:
        return
    from groupdir.training.rehearsal import rehearse_all  # imports torch

    real = every or data.trials[0].data.name not in TABLES["data"]
    rehearsals = rehearse_all(list(chosen.values()), data.dataset, real=real)
    for message in dict.fromkeys(line for error in rehearsals.errors for line in error.splitlines()):
        addressed = _ADDRESSED.fullmatch(message)
        yield Concern(addressed[1], addressed[2]) if addressed else Concern("", message)
    if rehearsals.note:
        yield Concern("", rehearsals.note, fatal=False)


def _without_floats(value: Any) -> Any:
    """Return a content with 0.0 for each float, because a learning rate hardly decides whether parts fit each other."""
    if isinstance(value, dict):
        return {key: _without_floats(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_floats(inner) for inner in value]
    return 0.0 if isinstance(value, float) else value


def is_uncertain(config: TrialConfig) -> bool:
    """Return whether the options alone leave open whether the parts of a trial fit each other.

    This is so for plug-ins of the user, and for options whose limits depend on the labels or on the width of the
    features.
    """
    names = {("data", config.data.name), ("encoder", config.encoder.name), ("method", config.method.name)}
    if any(name not in TABLES[kind] for kind, name in names):  # type: ignore[index]
        return True
    method = config.method.model_dump(mode="json")
    if method.get("grouping", "equal_width") != "equal_width" or config.method.resampling is not None:
        return True
    parts = [part for part in method.values() if isinstance(part, dict)]
    named = [str(part.get(key, "")) for part in parts for key in ("name", "mode")]
    return any(":" in name for name in named) or (method.get("group_loss") or {}).get("name") == "nc"
