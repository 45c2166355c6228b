"""Death of the Ray that a driver uses.

A call to a Ray that has died waits for a minute, and then Ray ends the driver's process with a message of its own. A
thread therefore watches Ray and ends the driver before that, without a further call to Ray.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from groupdir.errors import NodeError
from launch.on_ray import private

EVERY = 1.0
"""Seconds between two checks."""
SILENT = 40.0
"""Seconds without an answer after which the head of a cluster counts as dead. Ray ends the driver after 60."""
SILENT_AT_END = 3.0
"""The same after a signal: the head has probably received it too."""
SIGNAL_DELAY = 1.0
"""Seconds in which a signal reaches all processes that it is sent to."""
NEEDED = ("raylet", "gcs_server")
"""Processes without which Ray does not work."""
ANSWER = 2.0
"""Seconds in which the head must answer one check."""


class Pulse:
    """Checks of whether Ray is alive.

    Args:
        head: HOST:PORT of the head of a cluster, or None for a Ray that this driver has started on this machine.
        signalled: Function that returns whether a signal has asked the driver to end.
        here: Function that returns why the driver's own Ray counts as dead, or "".
        now: Clock, in seconds.
    """

    def __init__(
        self,
        head: str | None,
        signalled: Callable[[], bool],
        here: Callable[[], str] | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._head, self._signalled, self._here, self._now = head, signalled, here or death_here, now
        self._heard = now()

    def death(self) -> str:
        """Return why Ray counts as dead, or "" if it is alive."""
        if self._head is None:
            return self._here()
        if answers(self._head):
            self._heard = self._now()
        silent = self._now() - self._heard
        if silent < (SILENT_AT_END if self._signalled() else SILENT):
            return ""
        return f"the head of the cluster at {self._head} has not answered for {silent:.0f} seconds"


def death_here() -> str:
    """Return why the Ray that this driver has started counts as dead, or "" if it is alive or a cluster's."""
    processes = private.own_processes()
    dead = [name for name in NEEDED if name in processes and processes[name].poll() is not None]
    return f"Ray on this machine has died: its process {dead[0]} has ended" if dead else ""


def shut_down_by_kill() -> None:
    """Let `ray.shutdown` kill the processes of the driver's own Ray, which would have a second each to obey SIGTERM."""
    for process in private.own_processes().values():
        setattr(process, "terminate", partial(_kill, process.pid))  # noqa: B010


def kill_own_ray() -> None:
    """Kill all processes of the driver's own Ray, also those whose parent has died."""
    for process in private.own_processes().values():
        _kill(process.pid)


def end_failed_start(pids: Iterable[int]) -> None:
    """Kill the processes of a Ray that did not start. In a notebook they would otherwise run until its kernel ends.

    Args:
        pids: Processes that the start has made, all children of this process.
    """
    for pid in pids:
        _kill(pid)
        with contextlib.suppress(ChildProcessError):  # it had ended, and Ray has noticed
            os.waitpid(pid, 0)


def _kill(pid: int) -> None:
    """Kill a process of Ray, with its workers and agents, which are in its process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def ray_died(why: str) -> NodeError:
    """Return the error that ends a search whose Ray has died."""
    return NodeError(f"{why}, and nothing that was recorded is lost: find out what ended it (often a lack of memory)")


def answers(address: str) -> bool:
    """Return whether something listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER):
        return True
    return False


def await_signal(signalled: Callable[[], bool]) -> bool:
    """Return whether a signal asks the driver to end, after the time in which a signal reaches all its processes."""
    until = time.monotonic() + SIGNAL_DELAY
    while not (came := signalled()) and time.monotonic() < until:
        time.sleep(SIGNAL_DELAY / 20)
    return came


@contextlib.contextmanager
def watched(pulse: Pulse, die: Callable[[str], object]) -> Iterator[None]:
    """Watch Ray within the context, from a second thread.

    Args:
        pulse: Checks of Ray.
        die: Function that ends this process. It is called in the second thread with the reason once Ray is dead,
            because the main thread may wait for Ray. If the main thread leaves the context first, it waits for the end.
    """
    over = threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            if (why := pulse.death()) and not over.is_set():
                die(why)
                return

    thread = threading.Thread(target=watch, name="watch of Ray", daemon=True)
    thread.start()
    try:
        yield
    finally:
        if pulse.death():
            thread.join()
        over.set()
