"""One claim at a time, void as soon as its process is gone."""

import multiprocessing
import os
import signal
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from groupdir.files import lease
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
