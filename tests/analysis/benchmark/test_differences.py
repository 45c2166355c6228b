"""Differences of a benchmark's rows from one of them: by hand, against scipy, and the level of the marks."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from analysis.__main__ import app
from analysis.benchmark.differences import differences_table
from groupdir.errors import DataError
from groupdir.files.benchmark_pack import read_benchmark
from groupdir.files.benchmark_record import BenchmarkRecord, MeasuredTraining
from tests.analysis.benchmark.folders import made


def rows(values: dict[str, list[float]]) -> list[dict[str, object]]:
    return [{"label": label, "blocks": [[{"mae_all": value}] for value in blocks]} for label, blocks in values.items()]


def test_a_cell_is_the_mean_difference_over_common_blocks_with_its_interval(tmp_path: Path) -> None:
    """Differences 1, 2, 3: mean 2, half width 4.303 / sqrt(3). The fourth block of B has no counterpart."""
    blocks = {"A": [1.0, 2.0, 3.0], "B": [2.0, 4.0, 6.0, 90.0], "C": []}
    table = differences_table(read_benchmark(made(tmp_path, rows(blocks), replications=4, seeds=1)), "A")
    assert [row[:2] for row in table.rows] == [["B", "2.00 ± 2.48"], ["C", "–"]]
    assert table.header[1] == "MAE all"
    assert not table.marked, "p is .074"


def test_marks_are_the_paired_t_test_with_holms_correction(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    first = rng.normal(5, 1, size=5)
    moved = {f"by {shift}": first + shift + rng.normal(0, 0.1, size=5) for shift in (0.0, 0.1, 0.14, 0.2, 1.0)}
    values = {"A": first.tolist(), **{label: value.tolist() for label, value in moved.items()}}
    table = differences_table(read_benchmark(made(tmp_path, rows(values), replications=5, seeds=1)), "A")
    p = sorted((stats.ttest_rel(value, first).pvalue, at) for at, value in enumerate(moved.values()))
    shown = set()
    for rank, (value, at) in enumerate(p):
        if value * (len(p) - rank) > 0.05:
            break
        shown.add((at, 1))
    assert table.marked == shown
    assert 1 <= len(shown) < 5
    assert any(value <= 0.05 < value * (len(p) - rank) for rank, (value, _) in enumerate(p)), "the correction matters"


def test_equal_rows_are_marked_in_at_most_five_percent_of_columns() -> None:
    """300 columns of 5 equal rows, in 5 blocks: at most 26 marked ones with a probability of 99.7 %."""
    rng = np.random.default_rng(2)
    content = {
        "name": "equal",
        "benchmark": {"shape": "table1", "published": None, "seeds": 1, "select": "val_mae_all", "replications": 5},
        "rows": [{"label": str(row), "cell": {}} for row in range(5)],
    }
    wrong = 0
    for _ in range(300):
        values = rng.normal(size=(5, 1)) + rng.normal(size=(5, 5))
        measured = tuple(
            MeasuredTraining(str(row), block + 1, 0, 1, {"test_mae_all": float(values[block, row])})
            for row in range(5)
            for block in range(5)
        )
        wrong += bool(differences_table(BenchmarkRecord(content, "", measured, ()), "0").marked)
    assert wrong <= 26


def test_a_row_with_the_same_values_is_not_marked(tmp_path: Path) -> None:
    values = {"A": [1.0, 2.0], "same": [1.0, 2.0], "moved by one": [2.0, 3.0]}
    table = differences_table(read_benchmark(made(tmp_path, rows(values), replications=2, seeds=1)), "A")
    assert [row[1] for row in table.rows] == ["0.00 ± 0.00", "1.00 ± 0.00"]
    assert table.marked == {(1, 1)}


def test_the_verb_prints_the_second_table_and_refuses_what_has_none(tmp_path: Path) -> None:
    run = CliRunner()
    folder = made(tmp_path, rows({"VANILLA": [1.0, 2.0], "LDS": [2.0, 4.0]}), replications=2, seeds=1)
    result = run.invoke(app, ["benchmark-table", str(folder), "--against", "VANILLA"])
    assert "difference from VANILLA" in result.output
    assert "* differs from VANILLA" in result.output
    with pytest.raises(DataError, match=r"has no row 'VANILA': .*VANILLA"):
        differences_table(read_benchmark(folder), "VANILA")
    (tmp_path / "one").mkdir()
    one = made(tmp_path / "one", [{"label": "VANILLA", "seeds": [{"mae_all": 1.0}, {"mae_all": 2.0}]}])
    with pytest.raises(DataError, match=r"one block: set benchmark\.replications"):
        differences_table(read_benchmark(one), "VANILLA")
