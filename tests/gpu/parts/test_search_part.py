"""The rows of the part `search`, and the end of the processes that it starts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from groupdir.config.space import load_space
from groupdir.training.device_memory import GIB
from tests.gpu.apart import kill_marked
from tests.gpu.card import Busy
from tests.gpu.groupdir_command import MARK, Ended, run_command
from tests.gpu.part import Setting
from tests.gpu.parts import search_part
from tests.gpu.parts.search_part import missing, rate_row, retry_row, trials_row

REFUSED = (
    "trial 0: the trial does not fit into 0.0 GiB, which is 0.0115 of the 79.1 GiB of H100 minus 0.875 GiB: it held "
    "0.0 GiB; it is retried on a whole GPU when one is free\ntrial 0 finished at epoch 5\n"
)


@pytest.mark.parametrize(
    ("status", "counts", "verdict"),
    [
        (0, {"finished": 3, "stopped": 2, "failed": 0}, "ok"),
        (0, {"finished": 3, "stopped": 2, "failed": 1}, "FAILED"),
        (0, {"finished": 0, "stopped": 2, "failed": 0}, "FAILED"),
        (1, {"finished": 3, "stopped": 0, "failed": 0}, "FAILED"),
    ],
)
def test_some_trials_finish_and_none_fails(status: int, counts: dict[str, int], verdict: str) -> None:
    assert trials_row(Ended(status, "text"), counts).verdict == verdict


def test_epochs_per_second() -> None:
    assert rate_row([10.0, 11.0, 12.0]).value == "1.0 epochs/s"
    assert rate_row([10.0]).value == "nan epochs/s"


@pytest.mark.parametrize(
    ("text", "finished", "share", "verdict"),
    [
        (REFUSED, 1, 0.0115, "ok"),
        (REFUSED, 0, 0.0115, "FAILED"),
        (REFUSED, 1, 0.25, "FAILED"),
        ("trial 0 finished", 1, 0.0115, "FAILED"),
    ],
)
def test_the_retry_needs_a_refusal_and_a_result(text: str, finished: int, share: float, verdict: str) -> None:
    row = retry_row("a", text, finished, share)
    assert row.verdict == verdict
    assert verdict == "FAILED" or row.note == REFUSED.splitlines()[0]


def test_the_card_is_busy_on_average_between_two_times() -> None:
    busy = Busy.__new__(Busy)
    busy.samples = [(1.0, 100.0), (2.0, 50.0), (3.0, 30.0), (4.0, 100.0)]
    assert busy.mean(2.0, 3.5) == 40
    assert busy.mean(5.0, 6.0) != busy.mean(5.0, 6.0)


def test_the_card_is_asked_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "utilization", lambda index: 70 + index)
    begin = time.time()
    with Busy(torch.device("cuda", 1)) as busy:
        time.sleep(0.35)
    assert busy.mean(begin, time.time()) == 71
    assert busy.mean(begin - 2, begin - 1) != 71


def test_the_retry_asks_for_a_share_that_holds_little_more_than_the_context(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said: list[list[str]] = []

    def run(words: list[str], folder: Path, seconds: float) -> Ended:
        said.append(words)
        return Ended(0, REFUSED)

    state = SimpleNamespace(count=lambda status: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=79.1 * GIB))
    monkeypatch.setattr(search_part, "run_command", run)
    monkeypatch.setattr(search_part, "read_study", lambda folder: SimpleNamespace(state=state))
    [row] = search_part.retry(Setting(torch.device("cuda"), False, 4, tmp_path, 1e9))
    assert (row.verdict, said[0][0]) == ("ok", "search")
    overrides = said[0][5::2]
    assert load_space(said[0][1], overrides).search.resources.gpu == 0.0115


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing() == ""
    monkeypatch.setattr(search_part, "NEEDS", {"torch": "torch", "no_such_module": "some-package"})
    assert missing().startswith("not installed: some-package (")


def test_only_marked_processes_are_killed(tmp_path: Path) -> None:
    sleeper = [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"]
    marks = [str(tmp_path), f"{tmp_path}2"]
    processes = [
        subprocess.Popen(sleeper, env=os.environ | {MARK: mark}, stdout=subprocess.PIPE, start_new_session=True)
        for mark in marks
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        assert kill_marked(MARK, marks[0]) == [processes[0].pid]
        assert processes[0].wait(10) == -9
        assert processes[1].poll() is None
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_command_that_does_not_end_is_killed(tmp_path: Path) -> None:
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match="groupdir --help has not ended after 0 s"):
        run_command(["--help"], tmp_path, 0.05)
    assert time.monotonic() - begin < 10
    ended = run_command(["--version"], tmp_path, 60)
    assert (ended.status, kill_marked(MARK, str(next(tmp_path.iterdir())))) == (0, [])
