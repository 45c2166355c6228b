"""Part of the GPU check: run every test that is marked `gpu`, and report it per file and per failure."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

from tests.checkout import ROOT
from tests.gpu.part import Part, Row, Setting
from tests.gpu.recorder import Result, read

MOST_WORKERS = 8
"""Each worker imports torch and makes a CUDA context of about 0.75 GiB, which takes about 10 s."""
RESERVE = 4.0
"""Seconds of the part's box that are kept for reading the results."""
FEW = "cpu and test_every_step_is_that_of_the_cpu and method-"
"""Tests of a small rehearsal, as an expression of pytest's -k."""
NAMED = 10
"""Largest number of tests that one row names."""


def files_with_gpu_tests() -> list[str]:
    """Return the test files with tests for a GPU, as paths in the checkout."""
    marked = re.compile(r"\beach_device\b|\bmark\.gpu\b")
    files = sorted((ROOT / "tests").rglob("test_*.py"))
    return [str(path.relative_to(ROOT)) for path in files if marked.search(path.read_text(encoding="utf-8"))]


def selection(setting: Setting) -> list[str]:
    """Return pytest's arguments that choose the tests: those of a card, or in a rehearsal those of the CPU."""
    if setting.on_card:
        return ["-m", "gpu", *files_with_gpu_tests()]
    return ["-m", "not gpu and not long and not slow", "-k", FEW if setting.small else "cpu", *files_with_gpu_tests()]


def run_tests(setting: Setting) -> Iterator[Row]:
    """Run the tests in a process of their own, with workers if pytest-xdist is installed."""
    record, log = setting.folder / "tests.jsonl", setting.folder / "tests.log"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "tests.gpu.recorder", "-q"]
    command += ["--record", str(record), "--durations=10", *selection(setting)]
    workers = 1 if setting.small else min(MOST_WORKERS, setting.cores)
    if importlib.util.find_spec("xdist") and workers > 1:
        command += ["-n", str(workers), "--dist=worksteal"]
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            process.wait(max(1.0, setting.left - RESERVE))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    text = log.read_text(encoding="utf-8")
    print(text)
    collected, results = read(record)
    yield from rows_of(collected, results)
    if not results:
        last = (text.strip().splitlines() or [""])[-1]
        yield Row.check("tests", False, note=f"no test ended; pytest's status is {process.returncode}: {last}")


def rows_of(collected: Sequence[str], results: Sequence[Result]) -> Iterator[Row]:
    """Return a row per file, per failed test and per reason of skipped tests, and one for tests that did not run."""
    for file in dict.fromkeys(result.file for result in results):
        count = Counter(result.outcome for result in results if result.file == file)
        seconds = sum(result.seconds for result in results if result.file == file)
        value = ", ".join(f"{number} {outcome}" for outcome, number in count.items())
        yield Row.check(file, not count["failed"], value, note=f"{seconds:.1f} s of tests", seconds=seconds, **count)
    for result in results:
        if result.outcome == "failed":
            yield Row.check(result.test, False, note=result.reason)
    skipped = Counter(result.reason.removeprefix("Skipped: ") for result in results if result.outcome == "skipped")
    for reason, number in skipped.items():
        yield Row("skipped tests", f"{number} skipped", "skipped", note=reason)
    ended = {result.test for result in results}
    missing = [test for test in collected if test not in ended]
    if missing:
        names = ", ".join(missing[:NAMED]) + (f" and {len(missing) - NAMED} more" if len(missing) > NAMED else "")
        yield Row("tests", f"{len(missing)} of {len(collected)} did not run", "not reached", note=names)


PART = Part("right", "the card computes what the CPU computes", 85, {"tests": run_tests})
