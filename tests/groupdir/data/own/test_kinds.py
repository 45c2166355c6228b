"""Kind of a column: slips among numbers are refused, marks of missing values are known, texts stay texts."""

from pathlib import Path
from typing import Any

import pytest

from groupdir.data.cell_values import number_form
from groupdir.data.cells import Cells
from groupdir.data.own.encodings import Categorical, Numeric
from groupdir.data.own.kinds import FitOptions, fitted

ROWS = 60


def kind(cells: list[Any], name: str = "t.csv", **options: Any) -> Numeric | Categorical | str | list[tuple[int, str]]:
    table = Cells(Path(name), {"x": cells}, tuple(range(2, 2 + len(cells))))
    return fitted("x", table, range(len(cells) - 10), FitOptions(**options))


def numbers(**others: str) -> list[str]:
    """Numbers as texts, with other texts in some rows, such as _3="12 kg"."""
    cells = [str(row % 17) for row in range(ROWS)]
    for row, text in others.items():
        cells[int(row[1:])] = text
    return cells


@pytest.mark.parametrize(
    "mark",
    [
        *("", " ", "NA", "n/a", "#N/A", "#DIV/0!", "#VALUE!", "#REF!", "#NUM!", "<NA>", "nan", "NULL", "None", "NaT"),
        *(".", ".a", ".Z", "-", "--", "–", "?", ".."),
    ],
)
def test_a_mark_of_a_missing_value_is_missing_among_numbers(mark: str) -> None:
    column = kind(numbers(_3=mark))
    assert isinstance(column, Numeric)
    assert column.indicator
    found, mistakes = column.vectors(numbers(_3=mark))
    assert (found[3].tolist(), mistakes) == ([0, 1], [])


@pytest.mark.parametrize(
    ("slip", "todo"),
    [
        ("12 kg", "without the unit"),
        ("12kg", "without the unit"),
        ("1,050", "thousands separator"),
        ("1.050,5", "thousands separators"),
        ("1 050", "thousands separators"),
        ("1'050", "thousands separators"),
        ("3,5", "decimal point"),
        ("40%", "percent sign"),
        ("€ 5", "currency"),
        ("$1,200", "currency"),
        ("5 USD", "currency"),
        ("(12)", "minus sign"),
        ("<0.1", "comparison sign"),
        ("2024-01-31", "days since"),
        ("31.12.2020", "days since"),
        ("12:30", "minutes"),
        ("unknown", ""),
        ("1_000", ""),
        ("inf", ""),
        ("1e999", ""),
    ],
)
def test_a_slip_among_numbers_is_refused_with_its_line(slip: str, todo: str) -> None:
    found = kind(numbers(_3=slip, _7=slip, _55=slip))  # row 55 is not of training
    assert isinstance(found, list)
    assert [number for number, _ in found] == [5, 9, 57]
    assert found[0][1].startswith(f"x must be a number, as in 48 of 50 training rows with a value, got {slip!r}")
    assert todo in found[0][1].partition("got")[2]
    assert isinstance(kind(numbers(_3=slip), categorical=["x"]), Categorical)


@pytest.mark.parametrize("form", ["%d kg", "%d,5", "%d %%", "€%d", "2020-01-%02d", "1,%03d"])
def test_numbers_that_are_all_in_another_form_are_refused(form: str) -> None:
    found = kind([form % (1 + row % 28) for row in range(ROWS)])
    assert isinstance(found, str)
    assert found.startswith(f"must hold plain numbers, or be listed in data.categorical, got {form % 1!r} in line 2")


@pytest.mark.parametrize(
    "texts",
    [["2 doors", "4 doors"], ["4wd", "fwd", "rwd"], ["-", "yes"], ["10-20", "20-30"], ["?", "red"], ["A1", "3"]],
)
def test_texts_stay_texts(texts: list[str]) -> None:
    column = kind([texts[row % len(texts)] for row in range(ROWS)])
    assert isinstance(column, Categorical)
    assert column.values == tuple(sorted(texts))


def test_a_number_of_few_is_no_rule() -> None:
    assert isinstance(kind(["1", "2", "x"] * 5), Categorical)
    assert isinstance(kind(["1"] * 5 + ["x"] + ["1"] * 14), list)


@pytest.mark.parametrize("first", [0, 1])
def test_row_numbers_and_ids_are_refused_by_name(first: int) -> None:
    for name in ("t.csv", "t.parquet"):
        cells = [first + row if name.endswith("parquet") else str(first + row) for row in range(ROWS)]
        found = kind(cells, name)
        assert found == f"numbers the rows from {first} to {first + ROWS - 1}, so it is no feature"
        assert isinstance(kind(cells, name, features=["x"]), Numeric)
    ids = [f"patient {row}" for row in range(ROWS)]
    assert str(kind(ids)).startswith("has a text of its own in each of the 60 rows, such as 'patient 0', so it is no")
    assert isinstance(kind(ids, features=["x"]), Categorical)


def test_a_measurement_with_a_value_of_its_own_in_each_row_is_a_feature() -> None:
    assert isinstance(kind([f"{(row * 0.37) % 5:.6f}" for row in range(ROWS)]), Numeric)
    assert isinstance(kind([str(row * row * 7919 % 100003) for row in range(ROWS)]), Numeric)


def test_long_texts_are_no_numbers() -> None:
    assert number_form("1" * 39 + "kg") is None
    assert number_form("1,111," * 4000) is None


@pytest.mark.parametrize("text", ["Mar 1 2000", "1 March 2000", "01-Mar-00", "March 1, 2000"])
def test_dates_with_names_of_months_are_dates(text: str) -> None:
    form = number_form(text)
    assert form is not None
    assert form.todo.startswith("write a date as a number")
