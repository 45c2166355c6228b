"""Grid of a benchmark: every combination of some values is a trial."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from groupdir.config.change import change_all
from groupdir.config.trial import TrialConfig
from groupdir.config.yamlfile import Document
from groupdir.config.yamlvalues import shortened
from groupdir.errors import ConfigError, Mistake

MOST_CELLS = 1_000
"""Largest number of trials of a grid."""


def expand_grid(document: Document, base: Mapping[str, Any]) -> list[tuple[dict[str, Any], TrialConfig]]:
    """Return the cell (address -> value as its row shows it) and the trial of each combination of values.

    Args:
        document: Benchmark. Its `grid` maps addresses to lists of values, or is a list of such mappings.
        base: Content that all trials share.

    Raises:
        ConfigError: If the grid has another form, or trials have mistakes. The error lists all of them.
    """
    grid = document.data["grid"]
    trials, mistakes = [], list[Mistake]()
    for part in grid if isinstance(grid, list) and grid else [grid]:
        if not _is_part_of_grid(part):
            text = f"must map each address to a list of values, got {shortened(part)}"
            raise ConfigError([document.mistake(("grid",), text)])
        if (count := math.prod(map(len, part.values()))) > MOST_CELLS:
            text = f"must have at most {MOST_CELLS:,} combinations of values, got {count:,}: remove values"
            raise ConfigError([document.mistake(("grid",), text)])
        for values in itertools.product(*part.values()):
            cell = dict(zip(part, values, strict=True))
            data = json.loads(json.dumps(base))
            try:
                change_all(TrialConfig, data, cell)
                config = TrialConfig.from_document(Document(document.name, data, document.lines))
            except ConfigError as error:
                mistakes += [
                    mistake if mistake.file else document.mistake(("grid",), str(mistake)) for mistake in error.mistakes
                ]
                continue
            trials.append(({address: _shown(value, part[address]) for address, value in cell.items()}, config))
    if mistakes:
        raise ConfigError(list(dict.fromkeys(mistakes)))
    return trials


def _is_part_of_grid(part: Any) -> bool:
    """Return whether a value maps at least one address to a list of values."""
    if not isinstance(part, dict) or not part:
        return False
    return all(isinstance(at, str) and isinstance(values, list) and values for at, values in part.items())


def _shown(value: Any, values: Sequence[Any]) -> Any:
    """Return a value of a grid as its row shows it. A mapping is shown by its name if no other value has that name.

    >>> _shown({"name": "rebat", "decay": 0.98}, ["ce", {"name": "rebat", "decay": 0.98}])
    'rebat'
    """
    names = [item.get("name") if isinstance(item, Mapping) else item for item in values]
    if not isinstance(value, Mapping):
        return value
    name = value.get("name")
    return name if name is not None and names.count(name) == 1 else json.dumps(value)
