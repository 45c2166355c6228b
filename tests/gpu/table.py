"""The table of the GPU check as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from tests.gpu.part import Row

Found = Mapping[str, Sequence[Row]]


def as_text(facts: Mapping[str, str], found: Found) -> str:
    """Return the table for a terminal."""
    lines = [f"{name}: {value}" for name, value in facts.items()]
    rows = [(part, row) for part, rows in found.items() for row in rows]
    widths = [max([len(text) for text in column], default=0) for column in zip(*(_cells(*item) for item in rows), strict=True)]
    for part, row in rows:
        cells = _cells(part, row)
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
        if row.note:
            lines.append(f"      {row.note}")
    return "\n".join(lines)


def _cells(part: str, row: Row) -> tuple[str, str, str, str, str]:
    return part, row.verdict, row.name, row.value, f"(goal {row.goal})" if row.goal else ""


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
