"""Summary of the columns of a table, for `groupdir data describe`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from groupdir.bins import edge_text
from groupdir.data.base import ColumnSummary
from groupdir.data.cell_values import is_missing, is_missing_number
from groupdir.data.cells import Cells
from groupdir.data.own.encodings import Categorical, Numeric, number_of

_LONGEST = 60


def summarise(cells: Cells, columns: Sequence[Numeric | Categorical]) -> Iterator[ColumnSummary]:
    """Yield the summary of each column that is encoded.

    Args:
        cells: Table.
        columns: Encodings of its columns.
    """
    for column in columns:
        content = cells.columns[column.name]
        if isinstance(column, Numeric):
            numbers = [number for cell in content if (number := number_of(cell)) is not None]
            missing, text = (
                sum(map(is_missing_number, content)),
                f"{edge_text(min(numbers))} to {edge_text(max(numbers))}",
            )
        else:
            missing, text = sum(map(is_missing, content)), _shortened(column)
        yield ColumnSummary(column.name, column.kind, missing, column.entries, text)


def _shortened(column: Categorical) -> str:
    """Return the training texts of a column, as many as fit into a line."""
    texts = [text for text in column.values if text]
    shown = ", ".join(texts)
    if len(shown) <= _LONGEST:
        return shown
    return f"{len(texts)} texts: {shown[:_LONGEST]}…"
