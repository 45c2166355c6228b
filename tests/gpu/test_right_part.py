"""Part `right` of the GPU check: what it runs, the rows of its results, and tests that a killed run did not reach."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from tests.checkout import ROOT
from tests.gpu.part import Row, Setting
from tests.gpu.parts import right_part
from tests.gpu.parts.right_part import files_with_gpu_tests, rows_of, run_tests, selection
from tests.gpu.recorder import Result, read

NOT_ON_THE_CARD = ("ray", "optuna", "moocore", "plotly", "moto", "boto3", "jsonschema")
"""Packages that a machine with a card may lack."""


def setting(folder: Path, device: str = "cpu", seconds: float = 100.0) -> Setting:
    return Setting(torch.device(device), True, 1, folder, time.monotonic() + seconds)


def test_results_become_rows_of_files_failures_and_reasons() -> None:
    results = [
        Result("tests/gpu/test_a.py::test_x[cuda]", "passed", "", 1.0),
        Result("tests/gpu/test_a.py::test_y[cuda]", "failed", "AssertionError: 3 is not 4", 0.5),
        Result("tests/gpu/test_b.py::test_z[cuda]", "skipped", "Skipped: torch sees no CUDA device", 0.0),
    ]
    collected = [*(result.test for result in results), "tests/gpu/test_b.py::test_late[cuda]"]
    rows = list(rows_of(collected, results))
    assert [(row.name, row.value, row.verdict) for row in rows] == [
        ("tests/gpu/test_a.py", "1 passed, 1 failed", "FAILED"),
        ("tests/gpu/test_b.py", "1 skipped", "ok"),
        ("tests/gpu/test_a.py::test_y[cuda]", "", "FAILED"),
        ("skipped tests", "1 skipped", "skipped"),
        ("tests", "1 of 4 did not run", "not reached"),
    ]
    assert rows[2].note == "AssertionError: 3 is not 4"
    assert rows[3].note == "torch sees no CUDA device"
    assert rows[4].note == "tests/gpu/test_b.py::test_late[cuda]"


TESTS = """
import time, pytest
def test_good(): pass
def test_bad(): assert 1 + 1 == 3, "one and one"
@pytest.mark.skip(reason="no card")
def test_skipped(): pass
def test_slow(): time.sleep(60)
"""


def run_of(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float) -> list[Row]:
    """Return the rows of a run of tests from a text."""
    file = tmp_path / "test_some.py"
    file.write_text(text, encoding="utf-8")
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(
        right_part, "selection", lambda setting: [str(file), "--rootdir", str(tmp_path), "-c", os.devnull]
    )
    return list(run_tests(setting(tmp_path / "run", seconds=seconds)))


@pytest.mark.slow
def test_a_killed_run_names_the_tests_that_did_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = run_of(TESTS, tmp_path, monkeypatch, seconds=right_part.RESERVE + 12)
    assert [(row.value, row.verdict) for row in rows] == [
        ("1 passed, 1 failed, 1 skipped", "FAILED"),
        ("", "FAILED"),
        ("1 skipped", "skipped"),
        ("1 of 4 did not run", "not reached"),
    ]
    assert "one and one" in rows[1].note
    assert rows[3].note.endswith("test_slow")


def test_a_file_that_cannot_be_imported_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = run_of("import nothing_of_this_name", tmp_path, monkeypatch, seconds=60)
    assert {row.verdict for row in rows} == {"FAILED"}
    assert any("nothing_of_this_name" in row.note for row in rows)


def test_tests_for_a_gpu_are_in_one_folder() -> None:
    """There they import nothing that a machine with a card lacks."""
    files = files_with_gpu_tests()
    assert {Path(file).parent for file in files} == {Path("tests/gpu")}
    assert "tests/gpu/test_methods.py" in files
    assert Path(__file__).name not in [Path(file).name for file in files]


@pytest.mark.slow
def test_they_are_collected_without_the_packages_that_a_card_may_lack(tmp_path: Path) -> None:
    """And without a card every one of them is skipped with the reason."""
    lines = ["import sys", *(f"sys.modules[{name!r}] = None" for name in NOT_ON_THE_CARD)]
    (tmp_path / "sitecustomize.py").write_text("\n".join(lines), encoding="utf-8")
    record = tmp_path / "tests.jsonl"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.gpu.recorder", "-q"]
    command += ["--record", str(record), *selection(setting(tmp_path, "cuda"))]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "CUDA_VISIBLE_DEVICES": ""}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]
    collected, results = read(record)
    assert len(collected) == len(results) > 100
    assert {result.reason for result in results} == {"Skipped: torch sees no CUDA device"}
