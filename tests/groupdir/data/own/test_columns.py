"""Columns as vectors: statistics of training alone, missing numbers, texts that were never seen."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groupdir.data.cells import Cells
from groupdir.data.own.columns import Columns
from groupdir.data.own.encodings import Categorical, Numeric
from groupdir.data.own.kinds import FitOptions
from groupdir.errors import DataError


def table(name: str = "t.csv", **columns: list[Any]) -> Cells:
    return Cells(Path(name), columns, tuple(range(2, 2 + len(next(iter(columns.values()))))))


def fit(cells: Cells, train: int, categorical: tuple[str, ...] = (), most: int = 10) -> Columns:
    return Columns.fit(cells, list(cells.columns), range(train), FitOptions(categorical, most))


def refused(call: Any, *arguments: Any) -> list[str]:
    with pytest.raises(DataError) as error:
        call(*arguments)
    return str(error.value).split("\n")


def test_by_hand() -> None:
    cells = table(
        size=["1", "3", "NA", " 5 ", "", "9"],
        colour=["red", "blue ", "", "red", "green", "NA"],
        same=["2", "2", "2", "2", "4", ""],
    )
    columns = fit(cells, 4)
    assert columns.columns == (
        Numeric("size", 3.0, pytest.approx((8 / 3) ** 0.5), True),
        Categorical("colour", ("", "blue", "red")),
        Numeric("same", 2.0, 1.0, False),
    )
    step = 2 / (8 / 3) ** 0.5
    expected = [  # size, its indicator; missing, blue, red, another; same
        [-step, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 1, 0, 0, 0],
        [0, 1, 1, 0, 0, 0, 0],
        [step, 0, 0, 0, 1, 0, 0],
        [0, 1, 0, 0, 0, 1, 2],
        [3 * step, 0, 1, 0, 0, 0, 0],  # a missing number without an indicator is the mean
    ]
    found = columns.vectors(cells)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert columns.width == 7


def test_a_column_that_is_always_the_same_is_not_blown_up() -> None:
    columns = fit(table(x=["0.1", "0.1", "0.1", "0.2"]), 3)
    np.testing.assert_allclose(columns.vectors(table(x=["0.1", "0.2"])), [[0], [0.1]], atol=1e-6)


def test_a_column_that_is_not_named_is_numeric_by_its_cells() -> None:
    cells = table(code=["1", "2", "3"], mixed=["1", "2", "x"])
    kinds = [column.kind for column in fit(cells, 2).columns]
    assert kinds == ["numeric", "numeric"]  # only training decides
    assert [column.kind for column in fit(cells, 3, ("code",)).columns] == ["categorical", "categorical"]


def test_parquet_says_what_is_a_number() -> None:
    prices = [Decimal("1.5"), 2.0]
    cells = table("t.parquet", postcode=["0123", "0200"], count=[1, None], flag=[True, False], price=prices)
    assert [column.kind for column in fit(cells, 2).columns] == ["categorical", "numeric", "numeric", "numeric"]
    whole = fit(table("t.parquet", zone=[1.0, 2.0, None]), 3, ("zone",))
    assert whole.vectors(table(zone=["1", "2", "", "3"])).tolist() == [
        [0, 1, 0, 0],
        [0, 0, 1, 0],
        [1, 0, 0, 0],
        [0, 0, 0, 1],
    ]


def test_what_a_checkpoint_carries_brings_them_back() -> None:
    cells = table(size=["1", "3", ""], colour=["red", "bläu", ""])
    columns = fit(cells, 3)
    again = Columns.from_dict(json.loads(json.dumps(columns.to_dict())))
    assert again == columns
    np.testing.assert_array_equal(again.vectors(cells), columns.vectors(cells))


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=2, max_size=20).filter(any))
def test_training_has_mean_0_and_deviation_1(values: list[float | None]) -> None:
    column = fit(table("t.parquet", x=values), len(values))
    found = column.vectors(table("t.parquet", x=values)).astype(np.float64)
    there = np.array([value is not None for value in values])
    assert found[there, 0].mean() == pytest.approx(0, abs=1e-3)
    assert found[there, 0].std() == pytest.approx(1, abs=1e-3) or np.ptp([v for v in values if v is not None]) < 1e-3
    assert (found[~there, 0] == 0).all()
    assert column.width == 2 - there.all()


def test_every_column_that_cannot_be_is_named() -> None:
    cells = table(
        note=[f"text {k}" for k in range(11)] + ["text 0"],
        slip=["1", "3,5", *map(str, range(9)), "-"],
        late=["1"] * 11 + ["2 m"],
        empty=["", "NA", *[""] * 10],
        fine=["1"] * 12,
        day=[dt.date(2024, 1, 1)] * 12,
    )
    note, empty, day, first, *others, todo, of_cells = refused(fit, cells, 12)
    assert note.startswith("t.csv: column 'note' must have at most 10 texts in training (data.most_categories), or")
    assert note.endswith("got 11 such as 'text 0'")
    number = "must be a number, as in"
    point = "write a decimal point instead of the decimal comma"
    assert first == f"t.csv:3: slip {number} 10 of 12 training rows with a value, got '3,5': {point}"
    assert others == [
        f"t.csv:13: late {number} 11 of 12 training rows with a value, got '2 m': write it without the unit"
    ]
    assert of_cells.startswith(
        "fix these cells, leave them empty if the value is missing, or list a column in data.cat"
    )
    assert empty == "t.csv: column 'empty' must hold a value in some training row, got none"
    assert day == "t.csv: column 'day' must hold numbers or texts, got date"
    assert todo == "fix these columns, or list them in data.without"


def test_every_cell_that_is_no_number_is_named() -> None:
    columns = fit(table(a=["1", "2"], b=["3", "4"], c=["x", "y"]), 2)
    new = table(b=["3", "4,5", ""], a=["x", "inf", "1e308"], c=["1", "2", ""])
    assert refused(columns.vectors, new) == [
        "t.csv:2: a must be a number as in training, got 'x'",
        "t.csv:3: a must be a number as in training, got 'inf'",
        "t.csv:3: b must be a number as in training, got '4,5': write a decimal point instead of the decimal comma",
        "t.csv:4: a must be about 1.5 as in training, got '1e308'",
    ]
    lines = refused(columns.vectors, table(A=["1"], c=["x"]))
    assert [line.split(":")[2] for line in lines] == [
        " has no column 'a'",
        " has no column 'b'",
    ]
