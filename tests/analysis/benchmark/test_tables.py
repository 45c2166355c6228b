"""Tables of methods from results made by hand: means and spreads, the best, the paper's rows, three formats."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from analysis.__main__ import app
from analysis.benchmark.tables import best_rows, tables
from analysis.published import TABLE_1, TABLE_3, TABLE_5, TABLES
from analysis.ruled import Ruled
from groupdir.errors import DataError
from groupdir.files.benchmark_pack import read_benchmark
from groupdir.files.ledger import Ledger, Reading
from groupdir.files.predictions import SavedPredictions
from groupdir.metrics import ShotSplit
from tests.analysis.benchmark.folders import made, searched

SHOTS = ("all", "many", "median", "few")


def errors(first: float, metrics: tuple[str, str] = ("mae", "gm")) -> dict[str, float]:
    return {f"{name}_{shot}": first + index for name in metrics for index, shot in enumerate(SHOTS)}


def test_table_1_without_replications_is_mean_and_spread_and_marks_nothing(tmp_path: Path) -> None:
    rows = [{"label": "VANILLA", "seeds": [errors(4), errors(6)]}, {"label": "LDS", "seeds": [errors(4.5)]}]
    (table,) = tables(read_benchmark(made(tmp_path, rows)))
    assert table.header[1:6] == ["MAE all", "MAE many", "MAE median", "MAE few", "GM all"]
    assert table.rows[0][:2] == ["VANILLA", "5.00 ± 1.41"]
    assert table.rows[1][:2] == ["LDS (1 of 2 seeds)", "4.50"]
    assert not table.marked
    assert "so methods cannot be compared" not in table.title
    assert any("so configurations cannot be compared" in line for line in table.foot)
    searched(tmp_path / "VANILLA", [1.0])
    (table,) = tables(read_benchmark(tmp_path))
    assert any("spread" not in line and "methods cannot be compared" in line for line in table.foot)


def test_with_replications_a_cell_is_a_mean_with_its_interval_and_all_near_the_best_are_marked(tmp_path: Path) -> None:
    """The interval of (4, 5, 6) is 5 ± 4.303 * 1 / sqrt(3); a block is the mean of its seeds."""
    vanilla = [[errors(3), errors(5)], [errors(5), errors(5)], [errors(6)]]
    rows = [
        {"label": "VANILLA", "blocks": vanilla},
        {"label": "LDS", "blocks": [[errors(4.1)], [errors(4.9)], [errors(6.1)]]},
        {"label": "FDS", "blocks": [[errors(14.1)], [errors(14.9)], [errors(16.1)]]},
        {"label": "RRT", "blocks": []},
    ]
    record = read_benchmark(made(tmp_path, rows, replications=3, seeds=1))
    (table,) = tables(record)
    assert "mean ± half of the 95 % interval over 3 blocks" in table.title
    assert [row[1] for row in table.rows] == ["5.00 ± 2.48", "5.03 ± 2.50", "15.03 ± 2.50", "–"]
    assert table.marked == {(row, column) for row in (0, 1) for column in range(1, 9)}
    assert table.foot[0].startswith("* cannot be told from the best of its column")
    assert "on the 3 blocks that all rows have" in table.foot[0]
    assert best_rows(record, "mae_all", ["FDS", "RRT"]) == frozenset(), "one row has nothing to be compared with"


def test_only_blocks_that_all_rows_have_are_compared(tmp_path: Path) -> None:
    rows = [
        {"label": "VANILLA", "blocks": [[errors(4)], [errors(5)], [errors(6)]]},
        {"label": "LDS", "blocks": [[errors(9)]]},
    ]
    (table,) = tables(read_benchmark(made(tmp_path, rows, replications=3, seeds=1)))
    assert [row[0] for row in table.rows] == ["VANILLA", "LDS (1 of 3 blocks)"]
    assert table.rows[1][1] == "9.00"
    assert not table.marked
    assert table.foot[0] == "no cell is marked: the rows with a result have 1 block in common, and 2 are needed."


def test_a_block_with_missing_seeds_does_not_count(tmp_path: Path) -> None:
    """The interrupted second block has one of its two seeds, whose error of 90 is in no cell."""
    rows = [
        {"label": "VANILLA", "blocks": [[errors(4), errors(6)], [errors(90)]]},
        {"label": "LDS", "blocks": [[errors(9)]]},
    ]
    record = read_benchmark(made(tmp_path, rows, replications=2, seeds=2))
    (table,) = tables(record)
    assert [row[0] for row in table.rows] == [
        "VANILLA (1 of 2 blocks, and 1 with missing seeds)",
        "LDS (0 of 2 blocks, and 1 with missing seeds)",
    ]
    assert [row[1] for row in table.rows] == ["5.00", "–"]
    assert not table.marked


@pytest.mark.parametrize(
    ("samples", "text"),
    [
        (["a", "b"], "of its own, and draws or splits the data with its own seed."),
        (["a", "a"], "of its own on the same data."),
        (["a"], "of its own."),
        ([None, None], "of its own."),
    ],
)
def test_the_data_of_the_blocks_are_told_once_two_are_known(
    tmp_path: Path, samples: list[str | None], text: str
) -> None:
    rows = [{"label": "VANILLA", "blocks": [[errors(4)] for _ in samples]}]
    record = read_benchmark(made(tmp_path, rows, replications=2))
    pairs = zip(record.measured, samples, strict=True)
    measured = tuple(replace(training, samples=sample) for training, sample in pairs)
    (table,) = tables(replace(record, measured=measured))
    assert table.foot[1].endswith(text)


def test_a_row_with_searches_has_its_cost(tmp_path: Path) -> None:
    """The epochs of an ablation are not part of the search; those of a confirmation are."""
    rows = [{"label": "VANILLA", "blocks": [[errors(4)], [errors(5)]]}]
    made(tmp_path, rows, replications=2)
    searched(tmp_path / "block_1/VANILLA", [3.0, 1.0])
    searched(tmp_path / "block_2/VANILLA", [2.0])
    (table,) = tables(read_benchmark(tmp_path))
    assert table.header[-3:] == ["trials", "epochs", "seconds"]
    assert table.rows[0][-3:] == ["3", "60", "4"]
    searched(tmp_path / "block_2/VANILLA", [2.0], role="ablation")
    assert tables(read_benchmark(tmp_path))[0].rows[0][-3:] == ["2", "40", "3"]
    searched(tmp_path / "block_2/VANILLA", [2.0], role="confirmation")
    assert tables(read_benchmark(tmp_path))[0].rows[0][-3:] == ["2", "60", "4"]


def test_table_3_has_the_paper_s_numbers_beneath_and_pearson_times_100(tmp_path: Path) -> None:
    rows = [
        {"label": "VANILLA", "seeds": [errors(0.5, ("mse", "pearson"))]},
        {"label": "Group-DIR CE", "seeds": [errors(0.4, ("mse", "pearson"))]},
    ]
    (table,) = tables(read_benchmark(made(tmp_path, rows, shape="table3", published="table3", seeds=1)))
    assert [row[0] for row in table.rows] == ["VANILLA", "  in the paper", "Group-DIR CE"]
    assert table.rows[0][5] == "50.0"
    assert table.rows[1][1:6] == ["0.974", "0.851", "1.520", "0.984", "74.2"]
    assert "Pu et al. 2025, Table 3" in table.title


def test_group_losses_cross_groups_and_the_best_of_each_row_are_marked(tmp_path: Path) -> None:
    rows = []
    for groups in (2, 5):
        for loss, share in (("soft", 0.6), ("ce", 0.5)):
            cell = {"method.groups": groups, "method.group_loss": loss}
            metrics = {"group_accuracy": share / groups, "mae_all": 10 - groups - share, "oracle_mae_all": 1.0}
            other = metrics | {"group_accuracy": share / groups + 0.01, "mae_all": 10.1 - groups - share}
            rows.append({"label": f"{groups}{loss}", "cell": cell, "blocks": [[metrics], [other]]})
    record = read_benchmark(made(tmp_path, rows, shape="group_losses", replications=2, seeds=1))
    accuracy, mae, oracle = tables(record)
    assert [row[0] for row in accuracy.rows] == ["2", "5"]
    assert [text.split(" ")[0] for text in accuracy.rows[0][1:]] == ["30.5", "25.5"]
    assert [text.split(" ")[0] for text in mae.rows[1][1:]] == ["4.45", "4.55"]
    assert accuracy.marked == mae.marked == {(0, 1), (1, 1)}
    assert oracle.marked == {(0, 1), (0, 2), (1, 1), (1, 2)}, "equal values cannot be told apart"
    assert "best of its row" in accuracy.foot[0]


def test_a_missing_row_is_a_dash_and_none_at_all_is_told(tmp_path: Path) -> None:
    rows = [{"label": "VANILLA", "seeds": [errors(4)]}, {"label": "LDS", "seeds": []}]
    (table,) = tables(read_benchmark(made(tmp_path, rows)))
    assert set(table.rows[1][1:]) == {"–"}
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(DataError, match="no row has a test result yet"):
        read_benchmark(made(other, rows[1:]))
    with pytest.raises(DataError, match="is it a folder of `groupdir benchmark`"):
        read_benchmark(tmp_path / "nothing")


def test_a_broken_result_is_told(tmp_path: Path) -> None:
    made(tmp_path, [{"label": "VANILLA", "seeds": [errors(4)]}])
    path = tmp_path / "confirmed/VANILLA/vanilla/seed_0/result.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"result\.json: is not a result of .* continue with `groupdir benchmark`"):
        read_benchmark(tmp_path)


def test_the_line_of_the_ledger_counts_configurations_outside_the_table(tmp_path: Path) -> None:
    folder = tmp_path / "results/small"
    folder.mkdir(parents=True)
    made(folder, [{"label": "VANILLA", "seeds": [errors(4)]}, {"label": "LDS", "seeds": [errors(5)]}])
    assert "no predictions are kept" in read_benchmark(folder).readers
    keep(folder, "VANILLA", "digits")
    keep(folder, "LDS", "digits")
    for name in ("VANILLA", "LDS", "another"):
        reading = Reading(
            "2026-08-01T00:00:00+00:00", "digits", "of digits", name, 0, name, "groupdir benchmark a.yaml"
        )
        Ledger((tmp_path / "results",)).record(reading)
    text = "test split of digits: read by 3 configurations (1 of them not in this table), first on 2026-08-01"
    assert read_benchmark(folder).readers == text
    shown = CliRunner().invoke(app, ["benchmark-table", str(folder), "--format", "latex"])
    assert shown.output.splitlines()[-1] == f"% {text}"
    keep(folder, "LDS", "faces")
    with pytest.raises(DataError, match="VANILLA has the data set digits, but LDS has faces"):
        read_benchmark(folder)


def keep(folder: Path, label: str, data: str) -> None:
    """Write the predictions of a row's first seed."""
    values = np.zeros(3, dtype=np.float32)
    saved = SavedPredictions(
        config={"data": {"name": data}},
        configuration=label,
        samples=f"of {data}",
        shots=ShotSplit.from_train([1.0]),
        split="test",
        seed=0,
        target=values,
        prediction=values.astype(np.float64),
    )
    saved.write(folder / "confirmed" / label / "vanilla/seed_0/predictions.parquet")


def test_formats() -> None:
    rows = [["LDS+FDS & more", "5.0 ± 0.1"], ["  in the paper", "–"]]
    table = Ruled("title", ["", "MAE_all"], rows, {(0, 1)}, ["* best", "another line"])
    lines = table.render("text").splitlines()
    assert lines[-2:] == ["* best", "another line"]
    assert table.render("markdown").splitlines()[-3:] == ["bold: best", "", "another line"]
    assert table.render("latex").splitlines()[-2:] == ["% bold: best", "% another line"]
    assert lines[3].split("  ")[-1] == "*5.0 ± 0.1"
    assert lines[4].startswith("  in the paper")
    assert len({len(line) for line in lines[2:5]}) == 1
    assert "| LDS+FDS & more | **5.0 ± 0.1** |" in table.render("markdown")
    latex = table.render("latex")
    assert r"LDS+FDS \& more & \textbf{5.0 $\pm$ 0.1} \\" in latex
    assert r"MAE\_all" in latex


def test_the_published_numbers_are_whole_rows() -> None:
    assert TABLE_1["VANILLA"] == (7.77, 6.62, 9.55, 13.67, 5.05, 4.23, 7.01, 10.75)
    assert TABLE_1["Group-DIR"][0] == min(row[0] for row in TABLE_1.values())
    assert TABLE_3["Group-DIR"] == (0.887, 0.897, 0.891, 0.779, 77.4, 74.9, 70.7, 85.8)
    assert [len(rows) for rows in TABLES.values()] == [16, 16, 16]
    assert all(len(row) == 8 for rows in TABLES.values() for row in rows.values())
    assert all(max(accuracies, key=lambda name: accuracies[name]) == "soft" for accuracies in TABLE_5.values())
