"""Death of Ray under a driver: when it is noticed, and who ends the process."""

import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from launch.on_ray import death
from launch.on_ray.death import SILENT, SILENT_AT_END, Pulse, await_signal, death_here, watched


def test_a_dead_process_of_ones_own_ray_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    sleeps = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(sleeps) as raylet, subprocess.Popen(sleeps) as monitor:
        monkeypatch.setattr(death.private, "own_processes", lambda: {"raylet": raylet, "monitor": monitor})
        monitor.kill()
        monitor.wait()
        assert death_here() == "", "Ray works without its monitor"
        raylet.kill()
        raylet.wait()
        assert death_here() == "Ray on this machine has died: its process raylet has ended"
        assert Pulse(None, lambda: False).death() == death_here()


def test_a_head_that_does_not_answer_has_died_after_a_while_and_sooner_after_a_signal() -> None:
    now, signalled = [0.0], [False]
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        pulse = Pulse(address, lambda: signalled[0], now=lambda: now[0])
        now[0] = 1000.0
        assert pulse.death() == ""
    now[0] += SILENT - 1
    assert pulse.death() == "", "the head may come back"
    now[0] += 2
    assert pulse.death() == f"the head of the cluster at {address} has not answered for {SILENT + 1:.0f} seconds"
    now[0] -= SILENT - SILENT_AT_END
    assert pulse.death() == ""
    signalled[0] = True
    assert pulse.death()


def test_a_second_thread_ends_what_the_main_thread_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(death, "EVERY", 0.01)
    dead, died = [""], list[tuple[str, bool]]()
    ended = threading.Event()

    def die(why: str) -> None:
        died.append((why, threading.current_thread() is threading.main_thread()))
        ended.set()

    with watched(Pulse(None, lambda: False, lambda: dead[0]), die):
        time.sleep(0.05)
        assert not died
        dead[0] = "gone"
        assert ended.wait(10), "the main thread waits here, as for Ray"
    assert died == [("gone", False)]


def test_the_main_thread_waits_for_the_end_if_ray_has_raised_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its next call to Ray would wait for a minute."""
    monkeypatch.setattr(death, "EVERY", 0.1)
    died: list[str] = []
    with pytest.raises(RuntimeError), watched(Pulse(None, lambda: False, lambda: "gone"), died.append):
        raise RuntimeError("a call to Ray")
    assert died == ["gone"]


def test_a_ray_that_is_shut_down_has_not_died(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(death, "EVERY", 0.01)
    dead, died = [""], list[str]()
    with watched(Pulse(None, lambda: False, lambda: dead[0]), died.append):
        pass
    dead[0] = "shut down"
    time.sleep(0.1)
    assert not died


def test_a_signal_may_come_a_moment_after_the_death_of_a_process() -> None:
    calls: list[int] = []

    def signalled() -> bool:
        calls.append(1)
        return len(calls) > 3

    assert await_signal(signalled)
    assert not await_signal(lambda: False)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_ignores_sigterm_is_shut_down_at_once(
    end: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ray.shutdown` calls `terminate` first and waits for a second."""
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], start_new_session=True, stdout=subprocess.PIPE) as process:
        monkeypatch.setattr(death.private, "own_processes", lambda: {"raylet": process})
        assert process.stdout is not None
        process.stdout.readline()
        if end == signal.SIGTERM:
            death.shut_down_by_kill()
            process.terminate()
        else:
            death.kill_own_ray()
        assert process.wait(10) == -signal.SIGKILL
        death.kill_own_ray()  # the group is gone
