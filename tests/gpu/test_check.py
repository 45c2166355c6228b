"""The frame of the GPU check: time boxes, rows that survive a kill, the exit status, and what it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.checkout import ROOT
from tests.gpu import apart, check
from tests.gpu.apart import Plan
from tests.gpu.part import Part, Row, Setting, run_part
from tests.gpu.table import as_json, as_line, as_markdown, as_text
from tests.gpu.timing import busy, idle_share, longest

CPU = torch.device("cpu")


class Clock:
    """A clock that stands still unless a test moves it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def ran(part: Part, seconds: float, folder: Path, clock: Any) -> tuple[list[Row], list[str]]:
    rows: list[Row] = []
    done: list[str] = []
    setting = Setting(CPU, True, 1, folder, clock() + seconds, clock)
    run_part(part, setting, rows.append, lambda name, seconds: done.append(name))
    return rows, done


def test_a_part_stops_at_the_end_of_its_box(tmp_path: Path) -> None:
    clock = Clock()

    def slow(setting: Setting) -> Iterator[Row]:
        clock.now += 6
        yield Row("slow", f"{setting.left:g} s left")

    rows, done = ran(Part("p", "a part", 10, dict.fromkeys(("one", "two", "three"), slow)), 10, tmp_path, clock)
    assert [row.value for row in rows] == ["4 s left", "0 s left"]
    assert done == ["one", "two"]


def test_a_measurement_that_raises_fails_and_the_next_one_runs(tmp_path: Path) -> None:
    def broken(setting: Setting) -> Iterator[Row]:
        yield Row("before")
        raise RuntimeError("out of luck\nat line 2")

    part = Part("p", "a part", 10, {"broken": broken, "whole": lambda setting: [Row("whole")]})
    rows, done = ran(part, 10, tmp_path, Clock())
    assert [(row.name, row.verdict, row.note) for row in rows] == [
        ("before", "measured", ""),
        ("broken", "FAILED", "RuntimeError: out of luck"),
        ("whole", "measured", ""),
    ]
    assert done == ["broken", "whole"]


def test_a_part_that_cannot_run_says_why(tmp_path: Path) -> None:
    part = Part("p", "a part", 10, {"never": lambda setting: 1 / 0}, missing=lambda: "ray is not installed")  # type: ignore[arg-type, return-value]
    rows, done = ran(part, 10, tmp_path, Clock())
    assert [(row.verdict, row.note) for row in rows] == [("skipped", "ray is not installed")]
    assert done == ["never"]


def plan(out: Path, **changes: Any) -> Plan:
    values = {"parts": ("toy",), "device": "cpu", "small": True, "minutes": 8.0, "cores": 1, "out": out}
    return Plan(**(values | changes))


def runs(process: int) -> bool:
    """Whether a process is there and no zombie, which a container's first process may leave."""
    try:
        return " Z " not in Path("/proc", str(process), "stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False


TOY = """
import os, signal, subprocess, sys, time
from tests.gpu.part import Part, Row
def good(setting):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    yield Row("good", f"{{child.pid}} {{setting.folder}}")
def bad(setting):
    yield Row("a row before the end")
    {end}
PART = Part("toy", "a toy", 5, {{"good": good, "bad": bad, "last": good}})
"""


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ("time.sleep(60)", "killed 1 s after the end of the part's 1 s"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "the process of the part ended with status -11"),
    ],
)
def test_what_a_dead_part_had_found_is_kept_and_the_rest_is_named(
    end: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process, session or folder of the part remains."""
    (tmp_path / "toy_of_check.py").write_text(TOY.format(end=end), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    runner = tmp_path / "runner.py"
    patched = "apart.part_of = lambda name: __import__('toy_of_check').PART"
    paths = f"sys.path[:0] = {[str(ROOT), str(tmp_path)]!r}"
    lines = ["import sys", paths, "from tests.gpu import apart, check", patched, "sys.exit(check.main())"]
    runner.write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(apart, "part_of", lambda name: __import__("toy_of_check").PART)
    monkeypatch.setattr(apart, "CHECK", runner)
    seconds, grace = (1.0, 1.0) if "sleep" in end else (60.0, 30.0)
    rows = list(apart.run_apart("toy", plan(tmp_path), seconds, grace))
    sys.modules.pop("toy_of_check", None)
    assert [row.name for row in rows] == ["good", "a row before the end", "bad", "last"]
    assert [row.verdict for row in rows[2:]] == ["not reached"] * 2
    assert rows[2].note == why
    child, folder = rows[0].value.split()
    assert not Path(folder).exists()
    end = time.monotonic() + 10
    while runs(int(child)):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_boxes_change_together(tmp_path: Path) -> None:
    whole = plan(tmp_path, parts=check.NAMES, minutes=check.MINUTES).boxes()
    assert sum(whole.values()) <= 60 * check.MINUTES, "all parts fit into the minutes that the head of the script names"
    for minutes in (4.0, 16.0):
        boxes = plan(tmp_path, parts=("loss", "step"), minutes=minutes).boxes()
        assert boxes == pytest.approx({name: whole[name] * minutes / 8 for name in ("loss", "step")})


def test_a_machine_without_a_card_gets_one_line() -> None:
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "tests/gpu/check.py"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (2, check.NO_CARD + "\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--parts", "right,los"], "'los' is no part; the parts are right, loss"),
        (["--parts", ""], "'' is no part"),
        (["--device", "xpu"], "must be cuda, cuda:NUMBER or cpu, got 'xpu'"),
        (["--minutes", "0"], "must be above 0, got 0"),
        (["--minutes", "nan"], "must be above 0, got nan"),
        (["--cores", "0"], "invalid choice: 0"),
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        check.main(["--device", "cpu", *arguments])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["--device", "cpu", "--out", "/proc/x"]) == 2
    said = "--out: /proc/x cannot be made: No such file or directory: name another folder\n"
    assert capsys.readouterr().out == said


def test_a_card_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert check.main(["--device", "cuda:2", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().out == "no GPU 2: torch sees 2, counted from 0\n"


def test_an_interrupt_ends_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def interrupted(*arguments: Any) -> Iterator[Row]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(check, "run_apart", interrupted)
    assert check.main(["--device", "cpu", "--parts", "loss", "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().out == f"interrupted; the rows of the parts that had begun are in {tmp_path}\n"


@pytest.mark.parametrize(
    ("verdicts", "status", "line"),
    [
        (["ok", "missed", "skipped"], 0, "all checks hold"),
        (["ok", "FAILED"], 1, "1 of 2 rows failed or were not reached"),
        (["ok", "not reached"], 1, "1 of 2 rows failed or were not reached"),
    ],
)
def test_exit_status_and_files(
    verdicts: list[Any],
    status: int,
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [Row(f"row {n}", "1 | 2", verdict) for n, verdict in enumerate(verdicts)]
    monkeypatch.setattr(check, "run_apart", lambda *arguments: iter(rows))
    out = tmp_path / "new" / "out"
    assert check.main(["--device", "cpu", "--small", "--parts", "loss", "--out", str(out)]) == status
    assert capsys.readouterr().out.splitlines()[-1] == line
    content = json.loads((out / "gpu-check.json").read_text())
    assert [row["verdict"] for row in content["parts"]["loss"]] == verdicts
    assert {"card", "cores", "Python", "torch", "commit", "groupdir", "minutes"} <= content["about"].keys()
    assert "| row 0 | 1 \\| 2 |  | ok |  |" in (out / "gpu-check.md").read_text()


def test_a_row_fits_80_columns_and_survives_json() -> None:
    row = Row.speed("a name", False, "word " * 40, "1.25 floors", "note " * 40, seconds=1.5)
    assert all(len(line) <= 80 for line in as_line(row).splitlines())
    assert Row(**json.loads(json.dumps(row.to_dict()))) == row
    facts, found = {"card": "none"}, {"loss": [row]}
    assert "(goal: 1.25 floors)" in " ".join(as_text(facts, found).split())
    assert json.loads(as_json(facts, found))["parts"]["loss"][0]["data"] == {"seconds": 1.5}
    assert as_markdown(facts, found).startswith("- card: none\n")


def test_idle_time_of_a_trace() -> None:
    events = [{"name": "a", "ts": 8, "dur": 2}, {"name": "b", "ts": 0, "dur": 4}, {"name": "a", "ts": 2, "dur": 4}]
    assert busy(events) == (8, 10)
    assert idle_share(events) == pytest.approx(0.2)
    assert longest(events) == [("a", 0.6, 2), ("b", 0.4, 1)]
    assert idle_share([]) != idle_share([])


@pytest.mark.parametrize(
    "part", ["loss", "step", "input", *(pytest.param(name, marks=pytest.mark.slow) for name in ("packing", "search"))]
)
def test_a_part_in_small_on_the_cpu(part: str, tmp_path: Path) -> None:
    setting = Setting(CPU, True, 1, tmp_path, 1e9, Clock())
    rows: list[Row] = []
    done: list[str] = []
    run_part(apart.part_of(part), setting, rows.append, lambda name, seconds: done.append(name))
    assert done == list(apart.part_of(part).measurements)
    assert rows
    assert not [row for row in rows if row.verdict in check.BAD], rows
