"""Edits of a study's YAML by hand: applied as an event, or refused. No edit is ignored.

The event log holds the configuration of a study, and `study.yaml` is a copy of it for people. A driver that opens the
study compares the two.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from groupdir.config.space import StudyConfig, load_space
from groupdir.config.yamlfile import Document
from groupdir.errors import ConfigError, Mistake
from groupdir.files.sealed import seal_text
from groupdir.files.study_files import STUDY_CONFIG
from groupdir.files.write_whole import write_whole
from launch.study.study import Study

CHANGEABLE = frozenset(
    f"search.{name}"
    for name in (
        "trials",
        "max_hours",
        "max_epochs",
        "convergence",
        "concurrency",
        "resources",
        "max_failures",
        "max_equal_failures",
        "checkpoint_every",
        "checkpoint_budget",
        "snapshot_minutes",
    )
)
"""Options that decide how long and where a search runs. No past decision depends on them, so they may change."""

_MISSING = object()


def apply_edits(study: Study) -> list[str]:
    """Apply the edits in the study's YAML by an event, and return a line about each.

    A missing file is written again from the event log.

    Args:
        study: The study, which no trial of this driver uses yet.

    Raises:
        ConfigError: If an edit cannot be applied. It names all such edits, and none is applied.
    """
    path = study.folder / STUDY_CONFIG
    if not path.is_file():
        write_whole(path, seal_text(study.config.to_yaml()))
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # each edit is printed or refused below
        edited = load_space(path)
        document = Document.read(path)
    new = _plain(edited.to_dict())
    differences = dict(different(_plain(study.config.to_dict()), new))
    changes: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for address, (former, present) in differences.items():
        option = ".".join(address.split(".")[:2])
        problem = _problem(study, edited, option)
        if problem:
            text = f"is {_shown(present)} in this file, but {_shown(former)} in the event log, {problem}"
            mistakes.append(document.mistake(tuple(address.split(".")), text))
        else:
            changes[option] = new["search"][option.partition(".")[2]]
    if mistakes:
        raise ConfigError(mistakes)
    if changes:
        study.change(changes)
        write_whole(path, seal_text(study.config.to_yaml()))
    return [
        f"{address} is {_shown(present)} from now on, was {_shown(former)}"
        for address, (former, present) in differences.items()
    ]


def _problem(study: Study, edited: StudyConfig, option: str) -> str:
    """Return why an option cannot be changed to its value in the edited study, and what to do; empty if it can."""
    if option not in CHANGEABLE:
        return (
            "and earlier decisions of the search depend on it: restore the old value, or start a new study with the "
            "new one (search.warm_start names studies to learn from)"
        )
    search, state = edited.search, study.state
    suggested, spent = len(state.of("search")), state.epochs
    if option == "search.trials" and search.trials < suggested:
        return f"and the search has {suggested} trials already: set it to {suggested} or more"
    if option == "search.max_epochs" and search.max_epochs is not None and search.max_epochs <= spent:
        return f"and the search has spent {spent} epochs already: set it above {spent}"
    return ""


def different(old: Any, new: Any, address: str = "") -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Yield address -> (old value, new value) for each value that differs between two contents.

    >>> dict(different({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}, "d": [1]}))
    {'a.b': (1, 3), 'd': (None, [1])}
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            inner = f"{address}.{key}" if address else str(key)
            yield from different(old.get(key, _MISSING), new.get(key, _MISSING), inner)
    elif type(old) is not type(new) or old != new:
        yield address, (None if old is _MISSING else old, None if new is _MISSING else new)


def _shown(value: Any) -> str:
    """Return a value as a YAML can hold it in one line."""
    return json.dumps(value, ensure_ascii=False)


def _plain(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a content as the event log holds it: with lists for tuples, and texts for keys."""
    return dict(json.loads(json.dumps(content)))
