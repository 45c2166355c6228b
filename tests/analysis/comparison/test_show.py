"""Comparison as text, JSON and CSV, and through the command line."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from analysis.__main__ import app
from analysis.comparison.comparison import compare
from analysis.comparison.show import comparison_text, number_text
from groupdir.errors import DataError
from tests.analysis.comparison.predictions import TARGET, write_run


def call(*words: object) -> str:
    done = CliRunner().invoke(app, ["compare", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder of `groupdir train` with two methods, of which one is better on the rare labels."""
    write_run(tmp_path / "best_few/group_dir", seeds=range(6), noise=2.0)
    write_run(tmp_path / "best_few/vanilla", seeds=range(6), noise=2.0, few=6.0)
    return tmp_path / "best_few"


def test_the_table_says_in_words_what_is_shown(run: Path) -> None:
    text = call(run)
    assert "shown, few: group_dir is better than vanilla by" in text
    assert "cannot be told apart, many, median: group_dir and vanilla" in text
    assert "digits, test: MAE (label units; lowest is best), seeds 0, 1, 2, 3, 4, 5" in text
    assert "samples: 120 all, 40 many, 40 median, 40 few" in text
    (line,) = [line for line in text.splitlines() if line.startswith("few ")]
    pair = next(pair for pair in compare([str(run)]).pairs if (pair.metric, pair.shot) == ("mae", "few"))
    assert line.split()[1:4] == [number_text("mae", value) for value in (*pair.values, pair.difference.value)]
    assert "*" in line


@pytest.mark.parametrize("methods", [2, 3, 10])
@pytest.mark.parametrize("data_sets", [1, 3])
def test_the_text_fits_eighty_columns(tmp_path: Path, methods: int, data_sets: int) -> None:
    names = ["SQINV + LDS", "FOCAL-R + LDS", "Group-DIR soft", *"abcdefg"][:methods]
    inputs = [
        f"{name}={write_run(tmp_path / f'{draw}{name}', error=3.0 * number, target=np.roll(TARGET, 4 * draw))}"
        for number, name in enumerate(names)
        for draw in range(data_sets)
    ]
    metrics = ["mae", "mse", "pearson"]
    text = comparison_text(compare(inputs, metrics=metrics, draws=500), metrics)
    assert max(map(len, text.splitlines())) <= 80
    if methods == 10:
        assert "45 pairs (--out lists them)" in text
        assert "mean over seeds" in text
    assert ("critical difference" in " ".join(text.split())) == (data_sets > 1)


def test_metrics_are_chosen_by_name(run: Path) -> None:
    text = call(run, "--metric", "gm", "--metric", "pearson", "--draws", 500)
    assert ("MAE" in text, "GM" in text, "Pearson" in text) == (False, True, True)
    wrong = CliRunner().invoke(app, ["compare", str(run), "--metric", "maee"])
    assert wrong.exit_code == 2
    assert "unknown metric 'maee': did you mean 'mae'?" in " ".join(wrong.output.split())
    assert CliRunner().invoke(app, ["compare", str(run), "--metric", "group_accuracy"]).exit_code == 2


def test_json_has_every_metric_and_no_nan(run: Path) -> None:
    content = json.loads(call(run, "--json", "--draws", 500))
    assert content["labels"] == ["group_dir", "vanilla"]
    assert content["data_sets"][0]["samples"] == {"all": 120, "many": 40, "median": 40, "few": 40}
    assert len(content["pairs"]) == 5 * 4
    few = next(pair for pair in content["pairs"] if (pair["metric"], pair["shot"]) == ("mae", "few"))
    assert (few["verdict"], few["replications"], few["family"]) == ("better", 6, 4)
    assert few["low"] < few["difference"] < few["high"] < 0


def test_every_key_of_the_json_is_described(tmp_path: Path, root: Path) -> None:
    page = (root / "docs/json_output.md").read_text(encoding="utf-8").partition("## groupdir compare --json")[2]
    inputs = [
        f"{label}={write_run(tmp_path / f'{draw}{label}', target=np.roll(TARGET, 4 * draw))}"
        for label in "ab"
        for draw in (0, 1)
    ]
    content = json.loads(call(*inputs, "--json", "--draws", 500))
    keys = [*content, *(key for name in ("pairs", "data_sets", "ranks") for key in content[name][0])]
    assert not [key for key in keys if f"`{key}`" not in page]


def test_out_has_the_rows_and_the_figure(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert f"wrote {out / 'compare.csv'}" in call(run, "--out", out, "--draws", 500)
    rows = list(csv.DictReader((out / "compare.csv").open(encoding="utf-8")))
    assert len(rows) == 20
    assert not (out / "critical_difference.png").exists(), "one data set has no ranks"
    inputs = [
        f"{label}={write_run(tmp_path / f'{draw}{label}', target=np.roll(TARGET, 4 * draw))}"
        for label in "ab"
        for draw in (0, 1)
    ]
    assert "critical_difference.png" in call(*inputs, "--out", out, "--draws", 500)
    rows = list(csv.DictReader((out / "compare.csv").open(encoding="utf-8")))
    assert [row["low"] for row in rows if not row["data"]] == [""] * 20
    assert (out / "critical_difference.png").read_bytes().startswith(b"\x89PNG")


def test_a_mistake_is_one_line(run: Path) -> None:
    with pytest.raises(DataError) as error:
        compare([str(run / "vanilla")])
    done = CliRunner().invoke(app, ["compare", str(run / "vanilla")])
    assert (done.exit_code, done.output.strip()) == (2, str(error.value))
    assert "\n" not in str(error.value)


def test_out_must_not_be_a_file(run: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    done = CliRunner().invoke(app, ["compare", str(run), "--out", str(tmp_path / "out"), "--draws", "100"])
    assert done.exit_code == 2
    assert done.output.endswith("out is a file: choose another folder\n")
