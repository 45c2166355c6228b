"""The start of Ray: what cannot start or be reached ends in an error of the project, at once."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import ray

from groupdir.errors import NodeError
from launch.on_ray.backend import quiet_ray, refuse_unreachable


def test_a_cluster_at_which_nothing_listens_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        refuse_unreachable(f"127.0.0.1:{port}")
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
    start = time.monotonic()
    with pytest.raises(NodeError, match=rf"no Ray answers at 127\.0\.0\.1:{port} .*unset RAY_ADDRESS"), quiet_ray(0):
        pass
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("address", ["auto", "local", "ray://head:10001", "head"])
def test_other_forms_of_an_address_are_left_to_ray(address: str) -> None:
    refuse_unreachable(address)


def test_a_port_that_cannot_exist_is_refused() -> None:
    with pytest.raises(NodeError, match=r"no Ray answers at 127\.0\.0\.1:70000"):
        refuse_unreachable("127.0.0.1:70000")


def children() -> set[int]:
    """Return the children of this process that have not ended or that nobody has waited for."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended in between
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():
                found.add(int(path.parent.name))
    return found


def meanwhile(first: Callable[[], object]) -> tuple[threading.Thread, list[subprocess.Popen[bytes]]]:
    """Start a thread that waits for the first process of Ray, then begins one of the user's and calls a function."""
    before, others = children(), []

    def wait() -> None:
        until = time.monotonic() + 120
        while not children() - before and time.monotonic() < until:
            time.sleep(0.02)
        others.append(subprocess.Popen(["sleep", "600"], start_new_session=True))
        first()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread, others


@pytest.mark.slow
@pytest.mark.parametrize("cause", ["memory", "resources", "ctrl-c"])
def test_a_failed_start_leaves_no_process_of_ray(monkeypatch: pytest.MonkeyPatch, cause: str) -> None:
    """The first processes of Ray run when the start fails. A process that the user began meanwhile is kept."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if cause == "resources":
        monkeypatch.setenv("RAY_OVERRIDE_RESOURCES", "{")
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background has it ignored
    before = children()
    interrupt = partial(os.kill, os.getpid(), signal.SIGINT) if cause == "ctrl-c" else int
    thread, others = meanwhile(interrupt)
    try:
        expected = KeyboardInterrupt if cause == "ctrl-c" else NodeError
        with pytest.raises(expected), quiet_ray(10**16 if cause == "memory" else 0):
            pass
        thread.join()
        assert children() - before == {other.pid for other in others}
        assert not ray.is_initialized()
    finally:
        signal.signal(signal.SIGINT, handler)
        for other in others:
            other.kill()
            other.wait()


@pytest.mark.slow
def test_a_ray_that_does_not_start_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine has the memory for ten petabytes of shared data."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    message = r"Ray could not start on this machine: ValueError.*nothing that was recorded is lost"
    with pytest.raises(NodeError, match=message), quiet_ray(10**16):
        pass
    assert not ray.is_initialized()
