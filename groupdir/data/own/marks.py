"""Numbers in a column that are probably marks of missing values, such as -999."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from groupdir.data.cells import Cells
from groupdir.data.own.encodings import number_of

MARK_OF_FEATURE = "if it is one, leave these cells empty; if it is a measurement, list the column in data.features"
"""Advice about a mark in a column to predict from."""
MARK_OF_TARGET = "if it is one, remove these rows, because a model would learn to predict it"
"""Advice about a mark in the column of the target."""

_FEWEST = 2
"""Smallest number of cells with a mark, and of different numbers that it is compared with."""
_KNOWN = frozenset((-999.25, -9999.25, -32768.0, 32767.0, 65535.0, -2147483648.0, 2147483647.0, 4294967295.0))
"""Marks of well logs, and the smallest and largest whole numbers of 16 and 32 bits."""
_HUGE = 1e20
"""Mark of climate data. Other marks such as 1e30 and the largest float are larger, and measurements are smaller."""


def marks(cells: Cells, name: str, todo: str) -> Iterator[str]:
    """Yield a warning for each number of a column that is probably a mark of a missing value.

    Such a number has the form of a mark, occurs at least twice, and lies farther below or above all other numbers than
    these lie from one another.

    Args:
        cells: Table of N rows.
        name: Column of numbers. Cells that hold none are skipped.
        todo: Advice for the message.
    """
    column = cells.columns[name]
    numbers = np.array([np.nan if (number := number_of(cell)) is None else number for cell in column])
    values, counts = np.unique(numbers[np.isfinite(numbers)], return_counts=True)
    first, last = _measured(values)
    for at in (*range(first), *range(last, len(values))):
        if counts[at] < _FEWEST:
            continue
        row = int(np.flatnonzero(numbers == values[at])[0])
        yield (
            f"{cells.path}: column {name!r} holds {str(column[row]).strip()} in {counts[at]:,} of {len(cells):,} rows, "
            f"first in {cells.row(cells.numbers[row])}, far from all other numbers ({values[first]:g} to "
            f"{values[last - 1]:g}), like a mark of a missing value: {todo}"
        )


def _measured(values: npt.NDArray[np.float64]) -> tuple[int, int]:
    """Return the range of the indices of those ascending values that are no marks."""
    first, last = 0, len(values)
    while first < last and has_form_of_mark(float(values[first])):
        first += 1
    while first < last and has_form_of_mark(float(values[last - 1])):
        last -= 1
    if last - first < _FEWEST:
        return 0, len(values)
    while first > 0 and values[first] - values[first - 1] <= values[last - 1] - values[first]:
        first -= 1
    while last < len(values) and values[last] - values[last - 1] <= values[last - 1] - values[first]:
        last += 1
    return first, last


def has_form_of_mark(number: float) -> bool:
    """Return whether a number has the form of marks: a repeated 7, 8 or 9, or a limit of a type of numbers.

    >>> [has_form_of_mark(number) for number in (-999.0, 99.0, -9.0, 9999.9, 88.0, 1e30, 9.0, -1.0, 989.0, 0.0)]
    [True, True, True, True, True, True, False, False, False, False]
    """
    if number in _KNOWN or abs(number) >= _HUGE:
        return True
    texts = (repr(abs(number)), f"{abs(number):.7g}")  # 999.9 in float32 has seven digits
    digits = [text.removesuffix(".0").replace(".", "") for text in texts]
    return any(set(each) in ({"7"}, {"8"}, {"9"}) and (len(each) > 1 or number < 0) for each in digits)
