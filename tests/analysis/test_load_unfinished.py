"""A search with trials left: said in the first line, and no choice is written unless one insists."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.load import load_results
from tests.analysis.conftest import write_study

MakeStudy = Callable[..., Path]


def run(*words: str, root: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "analysis", *words]
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, text=True, check=False
    )


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A study of 48 trials whose driver was killed after 40."""
    folder = write_study(tmp_path / "killed", ablations=False)
    path = folder / "trials.parquet"
    import pyarrow.parquet as pq

    from groupdir.files.parquet import read_parquet, write_parquet

    for name in (path, folder / "epochs.parquet"):
        _, footer = read_parquet(name)
        footer["study"]["search"]["trials"] = 48
        write_parquet(name, pq.read_table(name).to_pylist(), footer)
    return folder


def test_select_refuses_and_says_how_to_go_on(killed: Path, root: Path) -> None:
    done = run("select", str(killed), "--shot", "few", root=root)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "unfinished search: 8 of 48 trials are left" in line
    assert f"`groupdir resume {killed}`" in line
    assert line.endswith("or choose among the finished trials with --unfinished")
    assert not list(killed.glob("best_*"))
    assert not (killed / "front.parquet").exists()


def test_one_may_insist_and_the_first_line_says_it(killed: Path, root: Path) -> None:
    done = run("select", str(killed), "--shot", "few", "--unfinished", root=root)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("unfinished search: 8 of 48 trials are left")
    assert "# unfinished search: 8 of 48 trials" in (killed / "best_few.yaml").read_text(encoding="utf-8")
    as_json = run("select", str(killed), "--shot", "few", "--unfinished", "--json", root=root)
    assert json.loads(as_json.stdout)["left"] == 8
    reported = run("report", str(killed), root=root)
    assert reported.returncode == 0, reported.stderr
    assert reported.stdout.splitlines()[0].startswith("unfinished search: 8 of 48 trials are left")
    assert "unfinished search: 8 of 48 trials are left" in (killed / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("search", "left"),
    [({}, 0), ({"convergence": {"trials": 5}}, 0), ({"max_epochs": 10}, 0)],
)
def test_a_search_that_a_rule_has_ended_is_finished(tmp_path: Path, search: dict[str, object], left: int) -> None:
    study = load_results(write_study(tmp_path / "study", ablations=False, **search))
    assert (study.left, study.unfinished) == (left, "")
