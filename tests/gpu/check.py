"""Check and measure everything that groupdir does on a GPU: `make gpu-check`, at most 8 minutes on one H100 or H200.

    python tests/gpu/check.py [--parts right,loss,step,input,packing,search] [--minutes 8] [--out FOLDER]
    python tests/gpu/check.py --device cpu --small      # a rehearsal without a card, in minutes

Every part runs in a process of its own and has a time box. What a part does not reach is named. The table is printed,
and written to FOLDER (`results/gpu-check`) as `gpu-check.md` and `gpu-check.json`. The exit status is 0 if every check
holds, 1 if one failed or was not reached, and 2 without a card.

A machine without a network may lack packages that all parts need (annotated-types, pydantic, pydantic-core,
typing-inspection), and those that only the part search needs (ray, jsonschema, jsonschema-specifications, referencing,
rpds-py, tensorboardx, optuna, colorlog, moocore, cffi, pycparser, platformdirs). Fetch them elsewhere, 32 MiB in all,
and unpack them there, which takes some 5 seconds:

    python tests/gpu/wheels.py FOLDER --ray
    python3 tests/gpu/wheels.py --install FOLDER TARGET && export PYTHONPATH=TARGET
"""

from __future__ import annotations

import argparse
import json
import os
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

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.checkout import ROOT
from tests.gpu.machine import about
from tests.gpu.part import BAD, Part, Row, Setting, run_part
from tests.gpu.table import as_json, as_line, as_markdown, as_text

NAMES = ("right", "loss", "step", "input", "packing", "search")
MINUTES = 8.0
START = 120.0
"""Largest number of seconds until a part's process has imported torch. They are not in its box."""

GRACE = 20.0
"""Seconds after the end of its box at which a part is killed. A part looks at the clock between measurements."""

NO_CARD = "no GPU: torch sees no CUDA device, so nothing was checked (a rehearsal on the CPU: --device cpu --small)"


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
        """Return the seconds of each part, scaled down together if they exceed the minutes."""
        wanted = {name: part_of(name).seconds for name in self.parts}
        scale = min(1.0, 60 * self.minutes / sum(wanted.values()))
        return {name: seconds * scale for name, seconds in wanted.items()}


def run_here(name: str, plan: Plan, seconds: float, rows: Path, clock: Callable[[], float] = time.monotonic) -> None:
    """Run one part in this process, and append its rows to a file, a JSON object a line."""
    with tempfile.TemporaryDirectory(prefix=f"gpu-check-{name}-") as folder, rows.open("a", encoding="utf-8") as file:

        def write(line: dict[str, Any]) -> None:
            file.write(json.dumps(line) + "\n")
            file.flush()

        def put(row: Row) -> None:
            print(as_line(row), flush=True)
            write({"row": row.to_dict()})

        def done(measurement: str, took: float) -> None:
            print(f"{'':11} ({measurement} took {took:.0f} s)", flush=True)
            write({"done": measurement, "seconds": took})

        setting = Setting(torch.device(plan.device), plan.small, plan.cores, Path(folder), clock() + seconds, clock)
        run_part(part_of(name), setting, put, done)


def run_apart(name: str, plan: Plan, seconds: float, grace: float = GRACE) -> Iterator[Row]:
    """Run one part in a process of its own, which is killed if it does not end, and return its rows."""
    plan.out.mkdir(parents=True, exist_ok=True)
    rows = plan.out / f"{name}.jsonl"
    rows.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--only", name, "--seconds", f"{seconds:.0f}", "--rows", str(rows)]
    command += ["--device", plan.device, "--cores", str(plan.cores), "--out", str(plan.out)]
    command += ["--small"] if plan.small else []
    part = part_of(name)
    print(f"== {name}: {part.title} (at most {seconds:.0f} s)", flush=True)
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        _wait_for_start(process, rows)
        status = process.wait(seconds + grace)
        why = f"the process of the part ended with status {status}" if status else f"the {seconds:.0f} s were over"
    except subprocess.TimeoutExpired:
        why = f"killed {grace:.0f} s after the end of the part's {seconds:.0f} s"
    finally:
        _end(process)
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


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a part: its process and those that it started."""
    try:
        os.killpg(process.pid, 9)
    except ProcessLookupError:
        return
    process.wait()


def parsed(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(NAMES), help="names, separated by commas")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu for a rehearsal")
    parser.add_argument("--small", action="store_true", help="small sizes, which suffice for a rehearsal")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for all parts together")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "gpu-check")
    for name, kind in (("only", str), ("seconds", float), ("rows", Path)):
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    wrong = [name for name in options.parts.split(",") if name not in NAMES]
    if wrong:
        parser.error(f"--parts: {', '.join(wrong)} is no part; the parts are {', '.join(NAMES)}")
    return options


def main(arguments: list[str] | None = None) -> int:
    """Run the check, and return the exit status."""
    options = parsed(arguments)
    plan = Plan(
        tuple(options.parts.split(",")), options.device, options.small, options.minutes, options.cores, options.out
    )
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print(NO_CARD)
        return 2
    if options.only:
        run_here(options.only, plan, options.seconds, options.rows)
        return 0
    begin = time.monotonic()
    found = {name: list(run_apart(name, plan, seconds)) for name, seconds in plan.boxes().items()}
    facts = about(torch.device(plan.device), plan.cores) | {"minutes": f"{(time.monotonic() - begin) / 60:.1f}"}
    print(as_text(facts, found))
    plan.out.mkdir(parents=True, exist_ok=True)
    (plan.out / "gpu-check.json").write_text(as_json(facts, found), encoding="utf-8")
    (plan.out / "gpu-check.md").write_text(as_markdown(facts, found), encoding="utf-8")
    everything = [row for rows in found.values() for row in rows]
    bad = [row for row in everything if row.verdict in BAD]
    print(f"{len(bad)} of {len(everything)} rows failed or were not reached" if bad else "all checks hold")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
