"""Values of single cells: marks of missing values, numbers, and numbers that are written in another form."""

from __future__ import annotations

import math
import re
import string
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

MISSING = frozenset(
    (
        *("", "na", "n/a", "nan", "-nan", "<na>", "nat", "null", "none"),  # R, numpy, pandas, SQL, Python
        *("#n/a", "#na", "#n/a n/a", "#nv", "#div/0!", "#value!", "#ref!", "#name?", "#num!", "#null!"),  # Excel, SPSS
        *("#spill!", "#calc!", "#field!", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),  # Excel, C on Windows
    )
)
"""Texts that mark a missing value in every column, in lower case."""

MISSING_NUMBERS = frozenset(
    (
        *("?", "-", "--", "---", "–", "—", "n.a.", "n/d", "*", ".."),  # UCI, spreadsheets, statistical offices
        *(".", "._", *(f".{letter}" for letter in string.ascii_lowercase)),  # SAS and Stata
    )
)
"""Texts that mark a missing value among numbers, in lower case. In a column of texts they are texts."""


def is_missing(cell: Any) -> bool:
    """Return whether a cell has no value, in a column of any kind.

    >>> [is_missing(cell) for cell in ("NA", " ", "#N/A", None, float("nan"), 0, "0", "-")]
    [True, True, True, True, True, False, False, False]
    """
    if isinstance(cell, str):
        return cell.strip().lower() in MISSING
    return cell is None or (isinstance(cell, float | Decimal) and math.isnan(cell))


def is_missing_number(cell: Any) -> bool:
    """Return whether a cell of a column of numbers has no value.

    >>> [is_missing_number(cell) for cell in ("NA", "-", ".", ".b", "0", ".5", "b")]
    [True, True, True, True, False, False, False]
    """
    return is_missing(cell) or (isinstance(cell, str) and cell.strip().lower() in MISSING_NUMBERS)


def as_number(cell: Any) -> float | None:
    """Return the finite number in a cell, or None.

    >>> [as_number(cell) for cell in (" 3.5", 2, "3,5", "inf", "1_000", True)]
    [3.5, 2.0, None, None, None, None]
    """
    if isinstance(cell, bool) or not isinstance(cell, str | int | float | Decimal):
        return None
    try:
        value = float(cell)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) and not (isinstance(cell, str) and "_" in cell) else None


@dataclass(frozen=True)
class NumberForm:
    """Way to write a number that is not read as one.

    Attributes:
        pattern: Regular expression of the whole text.
        todo: Advice for a message.
        always: Whether such a text is a number for certain. A unit or a date can also be part of a name.
    """

    pattern: re.Pattern[str]
    todo: str
    always: bool = True


def _form(pattern: str, todo: str, always: bool = True) -> NumberForm:
    number = r"(?:\d+(?:[.,' \u00a0\u202f]\d+)*|\.\d+)"
    sign = r"[-+\u2212]?"
    return NumberForm(re.compile(pattern.replace("NUMBER", sign + number), re.IGNORECASE), todo, always)


_CURRENCY = r"(?:[$€£¥₹]|USD|EUR|GBP|CHF|JPY|CNY|INR)"
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_FORMS = (
    _form(
        rf"{_MONTH} \d{{1,2}},? \d{{4}}|\d{{1,2}}[ -]{_MONTH}[ -]\d{{2,4}}|"
        r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?:[T ].*)?|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{2}|\d{4})(?: .*)?",
        "write a date as a number, such as the days since a fixed date, or as columns of year and month",
        always=False,
    ),
    _form(r"\d{1,3}:\d{2}(?::\d{2}(?:\.\d+)?)?", "write a time as a number, such as minutes", always=False),
    _form(
        r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?",
        "write it without the thousands separator, or with a point if the comma is a decimal comma",
    ),
    _form(
        r"[-+]?\d{1,3}(?:[.' _\u00a0\u202f]\d{3})+(?:,\d+)?|[-+]?\d+(?:_\d+)+", "write it without thousands separators"
    ),
    _form(r"[-+]?\d*,\d+(?:[eE][-+]?\d+)?", "write a decimal point instead of the decimal comma"),
    _form(r"NUMBER\s*%", "write the number without the percent sign, in all rows alike"),
    _form(rf"{_CURRENCY}\s*NUMBER|NUMBER\s*{_CURRENCY}|[-+]{_CURRENCY}NUMBER", "write it without the currency"),
    _form(r"\(\s*NUMBER\s*\)", "write a negative number with a minus sign"),
    _form(r"\u2212\s*[\d.]+", "write an ordinary minus sign"),
    _form(r"(?:[<>≤≥~≈]|<=|>=)\s*NUMBER", "write a number without the comparison sign, or leave the cell empty"),
    _form(r"NUMBER\s*(?:[^\W\d_][^\W_]{0,11}(?:[/·^]\S{1,6})?|°\s?\w?)", "write it without the unit", always=False),
)


_LONGEST = 40
_PLAIN = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?(inf|infinity|nan)", re.IGNORECASE)


def number_form(cell: Any) -> NumberForm | None:
    """Return the form of a text that holds a number in another form, or None.

    >>> [bool(number_form(cell)) for cell in ("12 kg", "1,050", "3,5", "40%", "€ 5", "2024-01-31", "red", "A12", "3")]
    [True, True, True, True, True, True, False, False, False]
    """
    if not isinstance(cell, str) or len(text := cell.strip()) > _LONGEST or _PLAIN.fullmatch(text):
        return None
    return next((form for form in _FORMS if form.pattern.fullmatch(text)), None)
