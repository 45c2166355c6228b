"""YAML file of a trial, a search space or a benchmark, validated once for all that a command does with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from groupdir.config.benchmark import Benchmark, load_benchmark
from groupdir.config.file_kind import SEARCH, is_benchmark
from groupdir.config.space import StudyConfig, load_space
from groupdir.config.trial import TrialConfig, override
from groupdir.config.yamlfile import Document


@dataclass(frozen=True)
class Loaded:
    """Content of a YAML file.

    Attributes:
        file: The file.
        document: Its values with the changes of `--set`, for messages.
        plan: The trial, study or benchmark in it.
    """

    file: Path
    document: Document
    plan: TrialConfig | StudyConfig | Benchmark


def load_file(file: Path, overrides: Sequence[str] = ()) -> Loaded:
    """Validate a YAML file.

    Args:
        file: YAML file.
        overrides: Strings `address=value`, as in `--set`.

    Raises:
        ConfigError: If the file has mistakes. The error lists all of them.
    """
    document = override(Document.read(file), overrides)
    if is_benchmark(document):
        return Loaded(file, document, load_benchmark(file, overrides))
    load = load_space if SEARCH in document.data else TrialConfig.load
    return Loaded(file, document, load(file, overrides))
