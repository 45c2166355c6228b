"""JSON of a benchmark: every key is documented, and nothing is called best without replications."""

import json
import re
from pathlib import Path

from typer.testing import CliRunner

from analysis.__main__ import app
from tests.analysis.benchmark.folders import made, searched


def test_keys_and_values(tmp_path: Path, root: Path) -> None:
    rows = [
        {"label": label, "blocks": [[{"mae_all": value}], [{"mae_all": value + 1}]]}
        for label, value in (("A", 1.0), ("B", 9.0))
    ]
    made(tmp_path, rows, replications=2, seeds=1)
    searched(tmp_path / "block_1/A", [3.0, 1.0])
    shown = CliRunner().invoke(app, ["benchmark-table", str(tmp_path), "--json"])
    content = json.loads(shown.output)
    first, second = content["rows"]
    assert first["metrics"]["mae_all"]["mean"] == 1.5
    assert [row["metrics"]["mae_all"]["cannot_be_told_from_best"] for row in (first, second)] == [True, False]
    assert first["metrics"]["mae_all"]["values"][1] == {"block": 2, "seed": 0, "value": 2.0}
    assert [point["value"] for point in first["expected_best"]] == [2.0, 1.0]
    assert first["expected_best"][0]["half_width"] is None
    page = (root / "docs/json_output.md").read_text(encoding="utf-8")
    section = page.partition("## groupdir benchmark-table --json")[2].partition("\n## ")[0]
    documented = set(re.findall(r"`(\w+)`", section))
    keys = {
        *content,
        *first,
        *first["metrics"]["mae_all"],
        *first["metrics"]["mae_all"]["values"][0],
        *first["expected_best"][0],
    }
    assert keys <= documented, keys - documented


def test_without_replications_nothing_is_compared(tmp_path: Path) -> None:
    made(tmp_path, [{"label": "A", "seeds": [{"mae_all": 1.0}, {"mae_all": 2.0}]}])
    shown = CliRunner().invoke(app, ["benchmark-table", str(tmp_path), "--json"])
    assert json.loads(shown.output)["rows"][0]["metrics"]["mae_all"]["cannot_be_told_from_best"] is None
