"""The table of the GPU check as text, Markdown and JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence

from tests.gpu.part import Row

Found = Mapping[str, Sequence[Row]]


def as_text(facts: Mapping[str, str], found: Found) -> str:
    """Return the table for a terminal of 80 columns or more."""
    lines = [f"{name}: {value}" for name, value in facts.items()]
    for part, rows in found.items():
        lines += ["", part, *map(as_line, rows)]
    return "\n".join(lines)


def as_line(row: Row) -> str:
    """Return a row as lines of at most 80 columns."""
    goal = f" (goal: {row.goal})" if row.goal else ""
    lines = textwrap.wrap(
        f"{row.verdict:11} {row.name}: {row.value}{goal}".rstrip(": "), 80, subsequent_indent=" " * 12
    )
    return "\n".join(lines + textwrap.wrap(row.note, 80, initial_indent=" " * 12, subsequent_indent=" " * 12))


def as_markdown(facts: Mapping[str, str], found: Found) -> str:
    """Return the table for a page."""
    lines = [f"- {name}: {value}" for name, value in facts.items()]
    for part, rows in found.items():
        lines += ["", f"## {part}", "", "| What | Value | Goal | | |", "|---|---|---|---|---|"]
        lines += [
            "| " + " | ".join(_escaped(cell) for cell in (row.name, row.value, row.goal, row.verdict, row.note)) + " |"
            for row in rows
        ]
    return "\n".join(lines) + "\n"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")


def as_json(facts: Mapping[str, str], found: Found) -> str:
    """Return everything, numbers included, for a program."""
    parts = {part: [row.to_dict() for row in rows] for part, rows in found.items()}
    return json.dumps({"about": dict(facts), "parts": parts}, indent=1) + "\n"
