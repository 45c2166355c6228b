"""One claim at a time, void as soon as its process is gone."""

import multiprocessing
import os
import signal
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from groupdir.errors import DataError
from groupdir.files import lease
from groupdir.files.fence import Attempt, Fence
from groupdir.files.lease import Claim


def hold(folder: Path, taken: Event) -> None:
    assert Claim(folder).take()
    taken.set()
    time.sleep(600)


def test_one_at_a_time(tmp_path: Path) -> None:
    first, second = Claim(tmp_path), Claim(tmp_path)
    assert first.take()
    assert not second.take()
    second.release()
    assert not second.take(), "only its owner gives a claim up"
    first.release()
    assert second.take()
    second.release()
    assert not list(tmp_path.glob("*.json*"))


def test_a_killed_process_of_this_host_has_no_claim(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    taken = context.Event()
    process = context.Process(target=hold, args=(tmp_path, taken))
    process.start()
    assert taken.wait(60)
    claim = Claim(tmp_path)
    assert not claim.take()
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)  # not waited for: a zombie has no claim either
    end = time.monotonic() + 20
    while not claim.take():
        assert time.monotonic() < end
        time.sleep(0.05)
    claim.release()
    process.join()


def test_a_silent_owner_on_another_host_loses_it_and_a_living_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "STALE", 0.4)
    monkeypatch.setattr(lease, "BEAT", 0.05)
    owner = tmp_path / "owner.json"
    waiting = Claim(tmp_path)
    living = Claim(tmp_path)
    assert living.take()
    for _ in range(12):
        assert not waiting.take()
        time.sleep(0.05)
    living.release()
    owner.write_text('{"token": "x", "host": "elsewhere", "pid": 1, "beats": 7}')
    os.utime(owner, (0, 0))  # its clock is decades behind, which is no matter
    assert not waiting.take()
    time.sleep(0.5)
    assert waiting.take()
    waiting.release()


def test_a_broken_file_of_an_owner_is_none(tmp_path: Path) -> None:
    (tmp_path / "owner.json").write_text("{")
    claim = Claim(tmp_path)
    assert claim.take()
    claim.release()


def test_the_claim_of_a_living_process_falls_with_its_attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its driver has lost it, and it still sees the storage: it gives signs of life, and nobody waits for it."""
    monkeypatch.setattr(lease, "BEAT", 0.05)
    fence = Fence(tmp_path / "given_up.json")
    fence.write("run-1")
    first, other, second = (str(Attempt("run-1", trial, number)) for trial, number in ((3, 0), (5, 0), (3, 1)))
    owner, waiting = Claim(tmp_path, first, fence), Claim(tmp_path, other, fence)
    assert owner.take()
    assert owner.held
    assert not waiting.take()
    fence.write("run-1", [Attempt("run-1", 3, 0)])
    assert not owner.held
    assert waiting.take(), "at once, not after the signs of life have ended"
    time.sleep(0.2)
    assert waiting.held, "the old owner does not take it back"
    with pytest.raises(DataError, match="given up this process"):
        Claim(tmp_path, first, fence).take()
    owner.release()
    assert waiting.held
    waiting.release()
    successor = Claim(tmp_path, second, fence)
    assert successor.take(), "the next attempt at the same trial is not given up"
    successor.release()


def test_a_new_driver_gives_up_the_processes_of_the_last_one(tmp_path: Path) -> None:
    fence = Fence(tmp_path / "given_up.json")
    assert not fence.excludes("run-1/3/0"), "no driver has said anything"
    fence.write("run-2")
    assert fence.excludes("run-1/3/0")
    assert not fence.excludes("run-2/3/0")
    assert not fence.excludes(""), "a process without a driver"
    fence.path.write_text("{")
    assert not fence.excludes("run-1/3/0"), "a damaged file gives up nobody: a claim still ends with its process"
