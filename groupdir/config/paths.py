"""Files and folders that a configuration names: variables in their paths, and paths from the current folder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from groupdir.config.yamlfile import Document
from groupdir.config.yamlvalues import Address, wrong_scalar

PATHS: tuple[Address, ...] = (("data", "root"), ("data", "cache"), ("encoder", "weights"))
"""Addresses whose values are files or folders."""

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def expand_paths(document: Document) -> tuple[dict[str, Any], list[Any]]:
    """Replace `${VAR}` in strings, and make `PATHS` absolute, because Ray changes the directory of a worker.

    Returns:
        The new content, and a mistake for each variable that is not set.
    """
    mistakes = []

    def expand(value: Any, address: Address) -> Any:
        if isinstance(value, dict):
            return {key: expand(inner, (*address, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [expand(inner, (*address, index)) for index, inner in enumerate(value)]
        if not isinstance(value, str):
            return value
        for variable in _VARIABLE.findall(value):
            if variable not in os.environ:
                remedy = f"export it, or give the value with --set {'.'.join(map(str, address))}=..."
                mistakes.append(document.mistake(address, f"environment variable {variable} is not set: {remedy}"))
        expanded = _VARIABLE.sub(lambda match: os.environ.get(match[1], match[0]), value)
        if expanded != value and (text := wrong_scalar(expanded)):
            mistakes.append(document.mistake(address, f"{text}, after the environment variables"))
            return value
        value = expanded
        return str(Path(value).expanduser().absolute()) if address in PATHS and value else value

    return expand(document.data, ()), mistakes
