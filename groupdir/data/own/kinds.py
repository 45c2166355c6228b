"""Kind of a column: numbers or texts, or the reason why it can be neither."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from groupdir.data.cell_values import NumberForm, is_missing, is_missing_number, number_form
from groupdir.data.cells import Cells
from groupdir.data.csv_file import RowMistake
from groupdir.data.own.encodings import Categorical, Numeric, number_of, text_of, todo_of

IDENTIFIER = "so it is no feature"
"""End of the message that refuses an id or a row number."""

_FEWEST_ROWS = 10
"""Smallest number of rows for which a column counts as a row number or an id."""

_NUMBERS_PER_TEXT = 5
"""A column with at least so many numbers for each text is a column of numbers with slips."""

_FEW_TEXTS = 10
"""Texts such as "2 doors" and "4 doors" are names if a column has at most so many different ones."""


@dataclass(frozen=True)
class FitOptions:
    """Options of the encoding.

    Attributes:
        categorical: Columns whose numbers are names.
        most: Largest number of texts in a categorical column of the training rows.
        features: Columns that are features although they look like a row number or an id.
    """

    categorical: Collection[str] = ()
    most: int = 100
    features: Collection[str] = ()


def fitted(
    name: str, cells: Cells, train: Sequence[int], options: FitOptions
) -> Numeric | Categorical | str | list[RowMistake]:
    """Return the encoding of a column, fitted on its training cells.

    A column is numeric if all its training cells with a value are numbers; in Parquet its type must be one too. If
    nearly all are, the others are mistakes. A column of numbers in another form, such as "12 kg", is refused.

    Args:
        name: Name of the column.
        cells: Table.
        train: Indices of the training rows.
        options: Options from the YAML.

    Returns:
        The encoding; or a text that says why the column has none; or the rows of its cells that are not numbers.
    """
    column, typed = cells.columns[name], cells.typed
    if (strange := next((cell for cell in column if not _is_plain(cell)), None)) is not None:
        return f"must hold numbers or texts, got {type(strange).__name__}"
    numbers = [None if typed and isinstance(cell, str) else number_of(cell) for cell in column]
    values = [number for index in train if (number := numbers[index]) is not None]
    without = [column[index] for index in train if numbers[index] is None]
    texts = [cell for cell in without if not is_missing(cell)]
    if not values and not texts:
        return "must hold a value in some training row, got none"
    if name in options.categorical:
        return _texts(name, column, train, options)
    others = [cell for cell in texts if not is_missing_number(cell)]
    if values and not others:
        return _numbers(name, numbers, values, len(without) > 0, options)
    if len(values) >= _NUMBERS_PER_TEXT * len(others):
        rule = f"must be a number, as in {len(values)} of {len(values) + len(texts)} training rows with a value"
        return [
            (cells.numbers[index], f"{name} {rule}, got {cell!r}{todo_of(cell)}")
            for index, cell in enumerate(column)
            if numbers[index] is None and not is_missing_number(cell)
        ]
    if form := _form_of(others, len(values)):
        index = next(index for index in train if number_form(column[index]) is form)
        return (
            f"must hold plain numbers, or be listed in data.categorical, got {column[index]!r} in "
            f"{cells.row(cells.numbers[index])} and similar cells: {form.todo}"
        )
    return _texts(name, column, train, options)


def _numbers(
    name: str, numbers: Sequence[float | None], values: Sequence[float], indicator: bool, options: FitOptions
) -> Numeric | str:
    if name not in options.features and len(numbers) >= _FEWEST_ROWS:
        first = numbers[0]
        if first in (0, 1) and all(number == first + row for row, number in enumerate(numbers)):
            return f"numbers the rows from {first:.0f} to {first + len(numbers) - 1:.0f}, {IDENTIFIER}"
    encoding = Numeric.fit(name, values, indicator)
    if not math.isfinite(encoding.mean) or not math.isfinite(encoding.scale):
        return f"must hold numbers whose mean and deviation are finite, got {max(values, key=abs):g}"
    return encoding


def _texts(name: str, column: Sequence[Any], train: Sequence[int], options: FitOptions) -> Categorical | str:
    training = [column[index] for index in train]
    distinct = len(column) >= _FEWEST_ROWS and len(set(map(text_of, column))) == len(column)
    if distinct and name not in options.features:
        return f"has a text of its own in each of the {len(column)} rows, such as {str(column[0])!r}, {IDENTIFIER}"
    texts = Categorical.fit(name, training)
    if len(texts.values) > options.most:
        return (
            f"must have at most {options.most} texts in training (data.most_categories), or only numbers, got "
            f"{len(texts.values)} such as {_stray(training)!r}"
        )
    return texts


def _form_of(texts: Sequence[Any], numbers: int) -> NumberForm | None:
    """Return the form in which a column holds numbers, or None if it holds texts.

    Args:
        texts: Training cells that are neither missing nor numbers.
        numbers: Number of training cells that are numbers.
    """
    forms = [form for cell in texts if (form := number_form(cell)) is not None]
    if not forms or numbers + len(forms) < _NUMBERS_PER_TEXT * (len(texts) - len(forms)):
        return None
    certain = next((form for form in forms if form.always), None)
    if certain is None and not numbers and len(set(map(text_of, texts))) <= _FEW_TEXTS:
        return None
    return certain or forms[0]


def _is_plain(cell: Any) -> bool:
    return cell is None or isinstance(cell, str | bool | int | float | Decimal)


def _stray(cells: Sequence[Any]) -> str:
    """Return the first text that keeps a column from being numeric; it may be a slip."""
    return next((str(cell) for cell in cells if not is_missing(cell) and number_of(cell) is None), str(cells[0]))
