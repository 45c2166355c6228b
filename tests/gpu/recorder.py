"""Plug-in of pytest that writes the names of the tests and every result at once, so that a killed run leaves both.

    python -m pytest -p tests.gpu.recorder --record FILE ...

Each line of FILE is a JSON object: `{"collected": [...]}` or a `Result`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Result:
    """Result of one test.

    Attributes:
        test: Its node ID, "file::name[parameters]".
        outcome: "passed", "failed" or "skipped".
        reason: Last line of the error, or why the test was skipped.
        seconds: Duration of the test without its fixtures.
    """

    test: str
    outcome: str
    reason: str
    seconds: float

    @property
    def file(self) -> str:
        """Path of the test's file."""
        return self.test.partition("::")[0]


class Recorder:
    """Plug-in of the process that collects the results of all workers."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Write the names of the tests of a run without workers."""
        if session.items:
            self._write({"collected": [item.nodeid for item in session.items]})

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        """Write the names of the tests of a worker, which are the same for all workers."""
        self._write({"collected": list(ids)})

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Write a file that cannot be imported as a failed test."""
        if report.failed:
            self._write(asdict(Result(report.nodeid, "failed", _last_line(report.longreprtext), 0.0)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write a result: that of the test itself, or a failed or skipped set-up or tear-down."""
        if report.when == "call" or report.outcome != "passed":
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else _error(report)
            self._write(asdict(Result(report.nodeid, report.outcome, reason, report.duration)))

    def _write(self, row: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def _error(report: pytest.TestReport) -> str:
    """Return the error of a failed test in one line, or "" for a test that passed."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else report.longreprtext
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[:3])[:300]


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1].strip()


def read(path: Path) -> tuple[list[str], list[Result]]:
    """Return the names of the tests that were collected, and the results so far."""
    collected: list[str] = []
    results: list[Result] = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        row = json.loads(line)
        if "collected" in row:
            collected = row["collected"]
        else:
            results.append(Result(**row))
    return collected, results


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for the file."""
    parser.addoption("--record", type=Path, help="file for the names of the tests and their results")


def pytest_configure(config: pytest.Config) -> None:
    """Record in the process that started the run, not in its workers."""
    path = config.getoption("--record")
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(path))
