"""Warnings about columns that are probably no features; measurements are not among them."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groupdir.data.cells import Cells
from groupdir.data.own.columns import Columns
from groupdir.data.own.kinds import FitOptions
from groupdir.data.own.suspects import suspects

ROWS = 40
RNG = random.Random(5)
SHUFFLED = RNG.sample(range(1, ROWS + 1), ROWS)


def warned(cells: list[Any], name: str = "x", known: tuple[str, ...] = (), path: str = "t.csv") -> list[str]:
    table = Cells(Path(path), {name: cells}, tuple(range(2, 2 + ROWS)))
    columns = Columns.fit(table, [name], range(30), FitOptions(features=known))
    y = np.array([float(row % 7) for row in range(ROWS)])
    return list(suspects(table, columns.columns, y, range(30), known))


@pytest.mark.parametrize(
    ("name", "cells", "says"),
    [
        ("x", [str(number) for number in SHUFFLED], "holds each number from 1 to 40 once, like a row number"),
        ("x", [str(1000 + 3 * row) for row in range(ROWS)], "holds whole numbers that grow from row to row"),
        ("patient_id", [str(number * 7919 % 10007) for number in SHUFFLED], "its name is that of an id"),
        ("PassengerId", [str(number * 7919 % 10007) for number in SHUFFLED], "its name is that of an id"),
        ("x", ["4.5"] * ROWS, "holds '4.5' in every training row"),
        ("x", ["red"] * 30 + ["blue"] * 10, "holds 'red' in every training row"),
        ("x", [str(row % 7) for row in range(ROWS)], "equals the target in every row"),
        ("x", [f"{(row % 7) * 2.54 + 1:.2f}" for row in range(ROWS)], "follows the target on a line"),
        ("x", [f"{-3e9 * (row % 7):.0f}" if row % 9 else "" for row in range(ROWS)], "follows the target on a line"),
        ("x", [f"name {row // 2 if row < 20 else row}" for row in range(ROWS)], "has 30 texts in 40 rows, like a name"),
        ("x", ["1", "2", "x", "3", "y"] * 8, "is encoded as 5 texts, although 18 of 30 training cells"),
    ],
)
def test_a_suspect_is_named(name: str, cells: list[str], says: str) -> None:
    (line,) = warned(cells, name)
    assert line.startswith(f"t.csv: column {name!r} ")
    assert says in line
    assert "data." in line
    assert warned(cells, name, known=(name,)) == []


def test_texts_of_numbers_in_parquet() -> None:
    (line,) = warned([str(row % 9) for row in range(ROWS)], path="t.parquet")
    assert "is encoded as 9 texts, although 30 of 30" in line


@pytest.mark.parametrize(
    "cells",
    [
        [f"{RNG.gauss(0, 1):.6f}" for _ in range(ROWS)],
        [f"{row / 3:.4f}" for row in range(ROWS)],  # grows, but has fractions
        [str(number * 7919 % 10007) for number in SHUFFLED],  # whole and different, but nothing says that it is an id
        ["red", "green"] * 20,
        [f"{(row % 7) + RNG.gauss(0, 0.1):.4f}" for row in range(ROWS)],  # a good predictor
        ["", *(f"{row}" for row in range(1, ROWS))],
    ],
)
def test_a_measurement_is_no_suspect(cells: list[str]) -> None:
    assert warned(cells) == []
