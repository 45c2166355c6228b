"""Table of the report as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence


def table_html(header: Sequence[str], rows: Sequence[Sequence[str]], marked: Sequence[bool]) -> str:
    """Return a table of texts, which are escaped.

    Args:
        header: Names of the columns.
        rows: Texts of each row.
        marked: Whether each row is marked as chosen.
    """
    head = "".join(f"<th>{html.escape(text)}</th>" for text in header)
    body = "".join(
        ('<tr class="chosen">' if mark else "<tr>")
        + "".join(f"<td>{html.escape(text)}</td>" for text in row)
        + "</tr>\n"
        for row, mark in zip(rows, marked, strict=True)
    )
    return f'<div class="wide"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>'
