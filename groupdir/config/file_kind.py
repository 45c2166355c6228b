"""Kind of a YAML file: a trial, a search space or a benchmark; and what a file that is none of them looks like."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from groupdir.config.domains import is_domain
from groupdir.config.yamlfile import Document, dotted
from groupdir.config.yamlvalues import Address
from groupdir.errors import Mistake

SEARCH = "search"
"""Section that makes a file a search space."""
ROWS = ("rows", "grid")
"""Sections that make a file a benchmark, which has one of them."""

_SHOWN = 3  # open values that a message names
_ALIKE = 0.75  # similarity of a key to a section, above which it is a slip


def is_benchmark(document: Document) -> bool:
    """Return whether a file holds a benchmark and not a trial or a search space."""
    return any(key in document.data for key in ROWS)


def other_kind(document: Document) -> Mistake | None:
    """Return the mistake of a search space or a benchmark that is given as a trial, or None for other files."""
    if is_benchmark(document):
        key = next(key for key in ROWS if key in document.data)
        return document.mistake((key,), "this is a benchmark, not a trial: run `groupdir benchmark` on it")
    if SEARCH in document.data:
        return document.mistake((SEARCH,), "this is a search space, not a trial: run `groupdir search` on it")
    return None


def likeness(document: Document, sections: Collection[str]) -> tuple[Mistake, set[str]] | None:
    """Return what a broken file looks like, if it looks like a search space or a benchmark that lacks a section.

    Args:
        document: File that is no trial.
        sections: Sections of a trial.

    Returns:
        The mistake of the whole file, and the addresses of the values that it explains; None if it looks like a trial.
    """
    slips = {key: near[0] for key in document.data if key not in sections and (near := _near(key))}
    opened = list(_open_values(document.data, ()))
    keys = [(key,) for key in ("name", "benchmark", *slips) if key in document.data]
    if not keys and not opened:
        return None
    signs = [f"has {_listed(document, keys)}"] if keys else []
    signs += [f"leaves {_listed(document, opened)} open"] if opened else []
    if "benchmark" in document.data or set(slips.values()) & set(ROWS):
        kind, lacks = "a benchmark", "neither `rows` nor a `grid`"
        todo = "add `rows: {label: file}` or `grid: {address: [values]}`"
    else:
        kind, lacks = "a search space", f"no section `{SEARCH}`"
        changes = [f"remove `{key}`" for (key,) in keys] + ["give each open value one value"] * bool(opened)
        todo = f"add one, such as `{SEARCH}: {{trials: 20}}`; or, for a trial, {' and '.join(changes)}"
    if slips:
        todo = ", ".join(f"rename `{key}` to `{name}`" for key, name in slips.items())
    text = f"looks like {kind}, because it {' and '.join(signs)}, but has {lacks}: {todo}"
    return Mistake("", text, document.name), set(map(dotted, [*keys, *opened]))


def _near(key: str) -> list[str]:
    """Return the section of a search space or a benchmark that a key misspells, if any."""
    return difflib.get_close_matches(key, (SEARCH, *ROWS), 1, _ALIKE)


def _listed(document: Document, addresses: Sequence[Address]) -> str:
    """Return addresses with their lines as a list in words, of which the first ones are named."""
    texts = [
        f"`{dotted(address)}`" + (f" (line {line})" if (line := document.line(address)) else "")
        for address in addresses
    ]
    more = len(texts) - _SHOWN
    shown = texts[:_SHOWN] + [f"{more} more"] * (more > 0)
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def _open_values(value: Any, address: Address) -> Iterator[Address]:
    """Yield the addresses of the domains in a value."""
    if is_domain(value) or (isinstance(value, dict) and {"by", "cases"} <= value.keys()):
        yield address
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _open_values(inner, (*address, key))
