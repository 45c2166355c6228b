"""Tables of methods from results made by hand: means and spreads, the best, the paper's rows, three formats."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from analysis.__main__ import app
from analysis.benchmark import load_benchmark_results, tables
from analysis.published import TABLE_1, TABLE_3, TABLE_5, TABLES
from analysis.ruled import Ruled
from groupdir.errors import DataError
from groupdir.files.ledger import Ledger, Reading
from groupdir.files.predictions import SavedPredictions
from groupdir.metrics import ShotSplit

SHOTS = ("all", "many", "median", "few")


def made(folder: Path, rows: list[dict[str, Any]], **config: Any) -> Path:
    """A table's folder; a row is its label, cell and one mapping of test metrics a seed."""
    content = {
        "name": "small",
        "benchmark": {"shape": "table1", "published": None, "seeds": 2, "select": "val_mae_all", **config},
        "rows": [{"label": row["label"], "folder": row["label"], "cell": row.get("cell", {})} for row in rows],
    }
    (folder / "benchmark.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    for row in rows:
        for seed, metrics in enumerate(row["seeds"]):
            path = folder / "confirmed" / row["label"] / "vanilla" / f"seed_{seed}"
            path.mkdir(parents=True)
            content = {"metrics": {f"test_{name}": value for name, value in metrics.items()}}
            (path / "result.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def errors(first: float, metrics: tuple[str, str] = ("mae", "gm")) -> dict[str, float]:
    return {f"{name}_{shot}": first + index for name in metrics for index, shot in enumerate(SHOTS)}


def test_table_1_is_mean_and_spread_and_marks_the_best(tmp_path: Path) -> None:
    rows = [{"label": "VANILLA", "seeds": [errors(4), errors(6)]}, {"label": "LDS", "seeds": [errors(4.5)]}]
    (table,) = tables(load_benchmark_results(made(tmp_path, rows)))
    assert table.header[1:6] == ["MAE all", "MAE many", "MAE median", "MAE few", "GM all"]
    assert table.rows[0][:2] == ["VANILLA", "5.00 ± 1.41"]
    assert table.rows[1][:2] == ["LDS (1 of 2 seeds)", "4.50"]
    assert table.marked == {(1, column) for column in range(1, 9)}


def test_table_3_has_the_paper_s_numbers_beneath_and_pearson_times_100(tmp_path: Path) -> None:
    rows = [
        {"label": "VANILLA", "seeds": [errors(0.5, ("mse", "pearson"))]},
        {"label": "Group-DIR CE", "seeds": [errors(0.4, ("mse", "pearson"))]},
    ]
    (table,) = tables(load_benchmark_results(made(tmp_path, rows, shape="table3", published="table3", seeds=1)))
    assert [row[0] for row in table.rows] == ["VANILLA", "  in the paper", "Group-DIR CE"]
    assert table.rows[0][5] == "50.0"
    assert table.rows[1][1:6] == ["0.974", "0.851", "1.520", "0.984", "74.2"]
    assert {(2, 1), (0, 5)} <= table.marked  # the lowest error of ours, the highest correlation of ours
    assert "Pu et al. 2025, Table 3" in table.title


def test_criteria_cross_groups_and_mark_the_best_criterion_of_each(tmp_path: Path) -> None:
    rows = []
    for groups in (2, 5):
        for criterion, share in (("soft", 0.6), ("ce", 0.5)):
            cell = {"method.groups": groups, "method.group_loss": criterion}
            metrics = {"group_accuracy": share / groups, "mae_all": 10 - groups - share, "oracle_mae_all": 1.0}
            rows.append({"label": f"{groups}{criterion}", "cell": cell, "seeds": [metrics]})
    accuracy, mae, oracle = tables(load_benchmark_results(made(tmp_path, rows, shape="group_losses")))
    assert accuracy.rows == [["2", "30.0", "25.0"], ["5", "12.0", "10.0"]]
    assert mae.rows[1] == ["5", "4.40", "4.50"]
    assert accuracy.marked == mae.marked == oracle.marked == {(0, 1), (1, 1)}


def test_a_missing_row_is_a_dash_and_none_at_all_is_told(tmp_path: Path) -> None:
    rows = [{"label": "VANILLA", "seeds": [errors(4)]}, {"label": "LDS", "seeds": []}]
    (table,) = tables(load_benchmark_results(made(tmp_path, rows)))
    assert set(table.rows[1][1:]) == {"–"}
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(DataError, match="no row has a test result yet"):
        load_benchmark_results(made(other, rows[1:]))
    with pytest.raises(DataError, match="is it a folder of `groupdir benchmark`"):
        load_benchmark_results(tmp_path / "nothing")


def test_a_broken_result_is_told(tmp_path: Path) -> None:
    made(tmp_path, [{"label": "VANILLA", "seeds": [errors(4)]}])
    path = tmp_path / "confirmed/VANILLA/vanilla/seed_0/result.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"result\.json: is broken"):
        load_benchmark_results(tmp_path)


def test_the_line_of_the_ledger_counts_configurations_outside_the_table(tmp_path: Path) -> None:
    folder = tmp_path / "results/small"
    folder.mkdir(parents=True)
    made(folder, [{"label": "VANILLA", "seeds": [errors(4)]}, {"label": "LDS", "seeds": [errors(5)]}])
    assert "no predictions are kept" in load_benchmark_results(folder).readers
    keep(folder, "VANILLA", "digits")
    keep(folder, "LDS", "digits")
    for name in ("VANILLA", "LDS", "another"):
        reading = Reading(
            "2026-08-01T00:00:00+00:00", "digits", "of digits", name, 0, name, "groupdir benchmark a.yaml"
        )
        Ledger((tmp_path / "results",)).record(reading)
    text = "test split of digits: read by 3 configurations (1 of them not in this table), first on 2026-08-01"
    assert load_benchmark_results(folder).readers == text
    shown = CliRunner().invoke(app, ["benchmark-table", str(folder), "--format", "latex"])
    assert shown.output.splitlines()[-1] == f"% {text}"
    keep(folder, "LDS", "faces")
    with pytest.raises(DataError, match="VANILLA has the data set digits, but LDS has faces"):
        load_benchmark_results(folder)


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
    table = Ruled("title", ["", "MAE_all"], [["LDS+FDS & more", "5.0 ± 0.1"], ["  in the paper", "–"]], {(0, 1)})
    lines = table.render("text").splitlines()
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
