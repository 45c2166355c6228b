"""Numbers that are probably marks of missing values are named with their first line; measurements are not."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from groupdir.config.datasets import TabularConfig
from groupdir.data.cells import Cells
from groupdir.data.own.marks import marks
from groupdir.data.own.tabular import Tabular

RNG = random.Random(3)
AGES = [str(RNG.randint(18, 80)) for _ in range(40)]


def warned(cells: list[Any], path: str = "t.csv") -> list[str]:
    return list(marks(Cells(Path(path), {"x": cells}, tuple(range(2, 2 + len(cells)))), "x", "do this"))


@pytest.mark.parametrize(
    ("mark", "others"),
    [
        ("-9", ["0", "1", "2", "3"]),
        ("-9.0", ["0.5", "0.1"]),
        ("-99", AGES),
        ("-999", AGES),
        ("-999.9", AGES),
        ("-999.25", AGES),
        ("-9999", AGES),
        ("-99999", AGES),
        ("99", ["0", "1"]),
        ("999", AGES),
        ("9999.0", AGES),
        ("99999", AGES),
        ("888", AGES),
        ("9.999e3", ["1e-3", "2e-3"]),
        ("1e20", AGES),
        ("-32768", ["-100", "100"]),
    ],
)
def test_a_mark_is_named_with_its_count_and_first_line(mark: str, others: list[str]) -> None:
    (line,) = warned([*others, mark, *others, mark, mark])
    low, high = min(map(float, others)), max(map(float, others))
    rows, first = 2 * len(others) + 3, len(others) + 2
    assert line.startswith(f"t.csv: column 'x' holds {mark} in 3 of {rows} rows, first in line {first}, far from all ")
    assert f"({low:g} to {high:g})" in line
    assert line.endswith(": do this")
    assert warned([*others, mark, *others]) == [], "once may be an outlier"


def test_several_marks_in_one_column() -> None:
    lines = warned([*"12345" * 3, "77", "77", "88", "88", "99", "99", "99", "-9", "-9"])
    assert [line.split(" holds ")[1].split(" rows")[0] for line in lines] == [
        "-9 in 2 of 24",
        "77 in 2 of 24",
        "88 in 2 of 24",
        "99 in 3 of 24",
    ]


def test_cells_of_parquet() -> None:
    column = pa.array([0.5, 1.5, None, 999.9, 999.9], pa.float32()).to_pylist()
    (line,) = warned(column, "t.parquet")
    assert "holds 999.90" in line
    assert "in 2 of 5 rows, first in row 5" in line


@pytest.mark.parametrize(
    "cells",
    [
        ["0", "1"] * 20,
        ["99", "99", "99"],
        ["0", "99"] * 20,  # two values say nothing about a range
        [str(age) for age in range(18, 100)] + ["99", "99"],  # ages up to 99 without a gap
        [str(age) for age in range(18, 90)] + ["99", "99"],  # the oldest are far fewer, but not far away
        [f"{-9 + RNG.gauss(0, 2):.1f}" for _ in range(60)] + ["-9", "-9", "-9.0"],  # temperatures around -9
        ["-9", "-9", "-3", "4", "12"],
        ["-1", "-1", "-1", "100", "250", "300"],
        ["9", "9", "9", "1", "2"],  # a grade or a count
        ["1000", "1000", "1", "2", "3"],
        ["998", "998", "1", "2", "3"],
        [*AGES, "", "NA", "-"],
        ["red", "99", "99"],
        [],
    ],
)
def test_a_measurement_is_no_mark(cells: list[str]) -> None:
    assert warned(cells) == []


def table(folder: Path, **options: Any) -> Tabular:
    """Return a data set of 200 rows, of which some have -999 in a feature and 9999 in the target."""
    rng = np.random.default_rng(1)
    lines = ["site,dose,age"]
    for row in range(200):
        dose = "-999" if row % 40 == 7 else f"{rng.normal(5, 1):.2f}"
        lines.append(f"{'ab'[row % 2]},{dose},{9999 if row % 50 == 9 else 20 + row % 60}")
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    data = {"name": "tabular", "root": str(folder), "manifest": "t.csv", "target": "age", "duplicates": "keep"}
    return Tabular(TabularConfig.model_validate(data | options))


def test_a_table_warns_of_marks_in_its_target_and_its_features(tmp_path: Path) -> None:
    target, feature = table(tmp_path).warnings()
    assert "column 'age' holds 9999 in 4 of 200 rows, first in line 11" in target
    assert "remove these rows" in target
    assert "column 'dose' holds -999 in 5 of 200 rows, first in line 9" in feature
    assert "leave these cells empty" in feature


def test_columns_does_not_silence_the_warning_but_features_does(tmp_path: Path) -> None:
    assert "'dose'" in table(tmp_path, columns=("site", "dose")).warnings()[1]
    assert len(table(tmp_path, features=("dose",)).warnings()) == 1
    assert len(table(tmp_path, without=("dose",)).warnings()) == 1
