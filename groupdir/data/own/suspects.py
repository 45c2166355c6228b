"""Warnings about columns of a table that are probably no features."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np

from groupdir.data.cell_values import is_missing
from groupdir.data.cells import Cells
from groupdir.data.own.encodings import Categorical, Numeric, number_of, text_of

_FEWEST_ROWS = 20
"""Smallest number of rows of which different whole numbers are suspicious."""

_SAME = 0.9999
"""Smallest correlation with the target of a column that is probably the target in another unit, perhaps rounded."""

_ID_NAME = re.compile(
    r"(?:.*[\W_])?(?:id|ids|nr|no|num|number|index|idx|key|uuid|guid|row|rownames?|obs|serial|code|customer|client|patient|subject|"
    r"respondent|user|account|ticket|record|case|sample)|.*[a-z](?:Id|ID|Nr|No)",
    re.DOTALL,
)
_OUT = "if it is no feature, list it in data.without; if it is one, in data.features"


def suspects(
    cells: Cells, columns: Sequence[Numeric | Categorical], y: np.ndarray, train: Sequence[int], known: Collection[str]
) -> Iterator[str]:
    """Yield a warning for each column that is probably no feature, with the name of the column.

    Args:
        cells: Table of N rows.
        columns: Encodings of the columns to predict from.
        y: Targets (N,).
        train: Indices of the training rows.
        known: Columns that the YAML lists as features.
    """
    for column in columns:
        if column.name in known:
            continue
        content = cells.columns[column.name]
        if why := _constant(column, content, train) or _like_target(content, y):
            yield f"{cells.path}: column {column.name!r} {why}: list it in data.without"
        elif why := _id_like(column, content) or _mostly_numbers(column, [content[index] for index in train]):
            yield f"{cells.path}: column {column.name!r} {why}"


def _constant(column: Numeric | Categorical, cells: Sequence[Any], train: Sequence[int]) -> str:
    """Return the warning that a column has one value in all training rows, or an empty text."""
    first = text_of(cells[train[0]])
    if any(text_of(cells[index]) != first for index in train):
        return ""
    return f"holds {first!r} in every training row, which says nothing about the target"


def _like_target(cells: Sequence[Any], y: np.ndarray) -> str:
    """Return the warning that a column equals the target, or is the target in another unit, or an empty text."""
    numbers = [number_of(cell) for cell in cells]
    if all(number == value for number, value in zip(numbers, y.tolist(), strict=True)):
        return "equals the target in every row"
    x = np.array([np.nan if number is None else number for number in numbers])
    known = np.isfinite(x)
    if np.count_nonzero(known) < max(_FEWEST_ROWS, len(x) / 2):
        return ""
    with np.errstate(all="ignore"):  # NaN of a constant column, or of numbers too large to square
        correlation = abs(float(np.corrcoef(x[known], y[known])[0, 1]))
    if math.isnan(correlation) or correlation < _SAME:
        return ""
    return f"follows the target on a line (correlation {correlation:.5f}), as the target in another unit does"


def _id_like(column: Numeric | Categorical, cells: Sequence[Any]) -> str:
    """Return the warning that a column looks like an id or a row number, or an empty text."""
    if isinstance(column, Categorical):
        texts = {text_of(cell) for cell in cells}
        if len(cells) < _FEWEST_ROWS or 2 * len(texts) <= len(cells):
            return ""
        return f"has {len(texts)} texts in {len(cells)} rows, like a name or an id: {_OUT}"
    whole = list[float]()
    for cell in cells:
        number = number_of(cell)
        if number is None or not number.is_integer():
            return ""
        whole.append(number)
    if len(cells) < _FEWEST_ROWS or len(set(whole)) < len(cells):
        return ""
    if max(whole) - min(whole) == len(cells) - 1 and min(whole) in (0, 1):
        return f"holds each number from {min(whole):.0f} to {max(whole):.0f} once, like a row number: {_OUT}"
    if all(after > before for before, after in itertools.pairwise(whole)):
        return f"holds whole numbers that grow from row to row, like an id or a row number: {_OUT}"
    if _ID_NAME.fullmatch(column.name.lower()) or _ID_NAME.fullmatch(column.name):
        return f"has a whole number of its own in each row, and its name is that of an id: {_OUT}"
    return ""


def _mostly_numbers(column: Numeric | Categorical, cells: Sequence[Any]) -> str:
    """Return the warning that a column of texts holds mostly numbers, or an empty text."""
    if isinstance(column, Numeric):
        return ""
    valued = [cell for cell in cells if not is_missing(cell)]
    numbers = sum(number_of(cell) is not None for cell in valued)
    if 2 * numbers < len(valued):
        return ""
    return (
        f"is encoded as {len(column.values)} texts, although {numbers} of {len(valued)} training cells with a value "
        "are numbers: list it in data.categorical if that is right, or make it a column of numbers"
    )
