"""Run each part of the GPU check in a process of its own, so that what it found outlives a crash, a hang or a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from tests.checkout import ROOT
from tests.gpu.part import Part, Row, Setting, run_part
from tests.gpu.table import as_line

CHECK = ROOT / "tests" / "gpu" / "check.py"
MINUTES = 8.0
"""Time of all parts together on one card of today."""

START = 120.0
"""Largest number of seconds until a part's process has imported torch. They are not in its box."""

GRACE = 20.0
"""Seconds after the end of its box at which a part is killed. A part looks at the clock between measurements."""

MARK = "GROUPDIR_GPU_CHECK_PART"
"""Environment variable that all processes of a part inherit, and by which they are found."""


def part_of(name: str) -> Part:
    """Return a part by its name."""
    part: Part = import_module(f"tests.gpu.parts.{name}_part").PART
    return part


@dataclass(frozen=True)
class Plan:
    """What to run, as the command line says it."""

    parts: tuple[str, ...]
    device: str
    small: bool
    minutes: float
    cores: int
    out: Path

    def boxes(self) -> dict[str, float]:
        """Return the seconds of each part: its own if `minutes` is `MINUTES`, and in proportion if not."""
        return {name: part_of(name).seconds * self.minutes / MINUTES for name in self.parts}


@dataclass(frozen=True)
class Inside:
    """Further arguments of a part's process: its part, seconds, file of rows and folder."""

    part: str
    seconds: float
    rows: Path
    folder: Path

    def arguments(self) -> list[str]:
        """Return them as arguments of the script."""
        return ["--inside", self.part, f"{self.seconds:.1f}", str(self.rows), str(self.folder)]

    @classmethod
    def of(cls, arguments: list[str]) -> Inside:
        """Read them back."""
        part, seconds, rows, folder = arguments
        return cls(part, float(seconds), Path(rows), Path(folder))


def run_inside(inside: Inside, plan: Plan, clock: Callable[[], float] = time.monotonic) -> None:
    """Run one part in this process, and append its rows to a file, a JSON object a line."""
    with inside.rows.open("a", encoding="utf-8") as file:

        def write(line: dict[str, Any]) -> None:
            file.write(json.dumps(line) + "\n")
            file.flush()

        def put(row: Row) -> None:
            print(as_line(row), flush=True)
            write({"row": row.to_dict()})

        def done(measurement: str, took: float) -> None:
            print(f"{'':11} ({measurement} took {took:.0f} s)", flush=True)
            write({"done": measurement, "seconds": took})

        end = clock() + inside.seconds
        setting = Setting(torch.device(plan.device), plan.small, plan.cores, inside.folder, end, clock)
        run_part(part_of(inside.part), setting, put, done)


def run_apart(name: str, plan: Plan, seconds: float, grace: float = GRACE) -> Iterator[Row]:
    """Run one part in a process of its own, kill what is left of it in the end, and yield its rows."""
    rows, part = plan.out / f"{name}.jsonl", part_of(name)
    rows.unlink(missing_ok=True)
    print(f"== {name}: {part.title} (at most {seconds:.0f} s)", flush=True)
    with tempfile.TemporaryDirectory(prefix=f"gpu-check-{name}-", ignore_cleanup_errors=True) as folder:
        inside = Inside(name, seconds, rows, Path(folder))
        command = [sys.executable, str(CHECK), *inside.arguments(), "--device", plan.device]
        command += ["--cores", str(plan.cores), "--out", str(plan.out), *(["--small"] if plan.small else [])]
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {MARK: folder}, start_new_session=True)
        try:
            _wait_for_start(process, rows)
            status = process.wait(seconds + grace)
            why = f"the process of the part ended with status {status}" if status else f"the {seconds:.0f} s were over"
        except subprocess.TimeoutExpired:
            why = f"killed {grace:.0f} s after the end of the part's {seconds:.0f} s"
        finally:
            kill_marked(MARK, folder)
            process.wait()
    lines = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()] if rows.exists() else []
    yield from (Row(**line["row"]) for line in lines if "row" in line)
    done = {line["done"] for line in lines if "done" in line}
    for measurement in part.measurements:
        if measurement not in done:
            yield Row(measurement, verdict="not reached", note=why)


def _wait_for_start(process: subprocess.Popen[bytes], rows: Path) -> None:
    """Wait until a part's process makes its file of rows, ends, or takes too long."""
    end = time.monotonic() + START
    while not rows.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)


def kill_marked(variable: str, mark: str) -> list[int]:
    """Kill all processes with a mark in a variable of their environment, and return their ids.

    Ray's workers replace their environment by a process title. They end by themselves without Ray's node.
    """
    killed = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{variable}={mark}\0".encode() in (folder / "environ").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)
                killed.append(int(folder.name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has ended, or belongs to somebody else
    return killed
