"""Why trials wait, in words, and the studies of a head, those of tables included."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from groupdir.config.space import StudyConfig
from launch.__main__ import app
from launch.cluster import status as standing
from launch.cluster.status import explain, studies
from launch.doctor.diagnosis import NodeReport
from launch.study.study import Study
from tests.launch.conftest import CONTENT

HAS = {"CPU": 8.0, "GPU": 1.0}
ALL_BUSY = [NodeReport("n1", "10.0.0.1", HAS, {"CPU": 4.0})]


def group(state: str, **asked: float) -> dict[str, Any]:
    """As Ray tells of a placement group."""
    return {"state": state, "bundles": {0: asked}}


@pytest.mark.parametrize(
    ("asked", "may_come", "text"),
    [
        ({"CPU": 64.0}, [], "error: cluster: a trial requests 64 CPUs and 0 GPUs, which no node has (10.0.0.1: 8 CPUs"),
        ({"CPU": 64.0}, [], "PENDING for ever: lower search.resources, add nodes, or start Ray with more"),
        ({"CPU": 64.0}, [{"CPU": 96.0}], "which no node has yet, and is PENDING until the autoscaler has added one"),
        ({"CPU": 4.0, "GPU": 1.0}, [], "which no node has free (10.0.0.1: 4 CPUs and 0 GPUs), and is PENDING until"),
    ],
)
def test_why_trials_wait(asked: dict[str, float], may_come: list[dict[str, float]], text: str) -> None:
    groups = [group("PENDING", **asked), group("PENDING", **asked), group("CREATED", CPU=1), group("REMOVED", CPU=99)]
    (line,) = explain(groups, ALL_BUSY, may_come, 0)
    assert line.startswith("2 trials waiting: ")
    assert text in line


def test_nothing_is_said_where_none_waits_or_one_is_about_to_begin() -> None:
    assert explain([group("CREATED", CPU=8), group("PENDING", CPU=1)], ALL_BUSY, [], 3) == []


def test_machines_that_are_off_are_named() -> None:
    _, line = explain([group("PENDING", CPU=64)], ALL_BUSY, [{}], 3)
    assert "1 of 3 machines have joined, and the others could run trials: turn them on" in line


def test_studies_of_tables_are_among_them(
    study: Study, results: Path, suggest: Callable[[Study], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    (results / "table").mkdir()
    (results / "table" / "benchmark.yaml").touch()
    row = Study.create(results / "table" / "row", StudyConfig.from_dict({**CONTENT, "name": "a_row"}))
    half = results / ".other.1.part"
    half.mkdir()
    (half / "study.sqlite").touch()
    broken = results / "broken"
    broken.mkdir()
    (broken / "study.sqlite").write_bytes(b"no database" * 1000)
    assert studies(results) == [broken, study.folder, row.folder]
    monkeypatch.chdir(results.parent)
    monkeypatch.setattr(standing, "_waiting", lambda: ["1 trial waiting: ..."])
    run = CliRunner().invoke(app, ["status"])
    assert run.exit_code == 2, "one cannot be read"
    assert "1 trial waiting" in run.stdout
    assert "is not a study, or is broken" in run.stdout
    assert "small: 12 trials: 12 waiting" in run.stdout
    assert "a_row: 12 trials: 12 waiting" in run.stdout
    row.close()


@pytest.mark.slow
def test_what_ray_says_is_understood(root: Path) -> None:
    code = """
import os, time, ray
from ray.util import placement_group
from launch.cluster.status import _waiting
context = ray.init("local", num_cpus=1, include_dashboard=False)
os.environ["RAY_ADDRESS"] = context.address_info["address"]
groups = [placement_group([{"CPU": count}], lifetime="detached") for count in (1, 1, 64)]
ray.get(groups[0].ready(), timeout=60)
ray.shutdown = lambda: None  # the cluster of this process goes with it
ray.init = lambda **how: None
print(*_waiting(), sep="\\n")
"""
    env = {**os.environ, "PYTHONPATH": str(root), "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert "1 trial waiting: note: cluster: a trial requests 1 CPU and 0 GPUs, which no node has free" in run.stdout
    assert "1 trial waiting: error: cluster: a trial requests 64 CPUs and 0 GPUs, which no node has (" in run.stdout
