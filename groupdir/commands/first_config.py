"""Configuration that stands for a YAML file: a trial itself, or the first corner of a search space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from groupdir.config.file_kind import is_benchmark
from groupdir.config.space import StudyConfig, load_space
from groupdir.config.trial import TrialConfig
from groupdir.config.yamlfile import Document
from groupdir.errors import ConfigError


def first_config(file: Path, overrides: Sequence[str] = ()) -> tuple[TrialConfig, StudyConfig | None]:
    """Return the trial of a YAML file and None, or the first corner of a search space and the study.

    Args:
        file: YAML file.
        overrides: Strings `address=value`, as in `--set`.

    Raises:
        ConfigError: If the file has mistakes, or is a benchmark.
    """
    document = Document.read(file)
    if is_benchmark(document):
        raise ConfigError(
            f"{file}: must be a trial or a search space, got a benchmark: use the file of one of its rows"
        )
    if "search" not in document.data:
        return TrialConfig.load(file, overrides), None
    study = load_space(file, overrides)
    return study.space.build(next(iter(study.space.corners()))), study
