"""The early end of a run: each signal is answered at once, and a signal that is ignored stays ignored."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from launch.interrupt import FIRST, LATER, SECOND, Interrupt


@pytest.fixture
def usual() -> Iterator[None]:
    """The usual handler of SIGHUP, which is ignored if the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_asks_and_the_second_ends(number: int, capfd: pytest.CaptureFixture[str], usual: None) -> None:
    interrupt = Interrupt(None)
    with interrupt.catch():
        os.kill(os.getpid(), number)
        assert interrupt()
        assert FIRST in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
        assert SECOND in capfd.readouterr().err
        os.kill(os.getpid(), number)  # while everything is closed
        assert LATER in capfd.readouterr().err


def test_an_interrupt_ends_a_background_job_of_a_shell() -> None:
    """Shells start background jobs with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        interrupt = Interrupt(None)
        with interrupt.catch():
            os.kill(os.getpid(), signal.SIGINT)
            assert interrupt()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_signal_is_known_before_the_main_thread_answers_it(usual: None) -> None:
    """The main thread may wait for Ray in a call that no signal ends."""
    interrupt, seen = Interrupt(None), list[tuple[bool, bool]]()

    def look() -> None:
        until = time.monotonic() + 20
        while not interrupt.signalled and time.monotonic() < until:
            pass
        seen.append((interrupt.signalled, interrupt.asked))

    assert not interrupt.signalled
    with interrupt.catch():
        assert not interrupt.signalled
        watch = threading.Thread(target=look)
        watch.start()
        code = "import os, signal, sys; os.kill(int(sys.argv[1]), signal.SIGTERM)"
        other = subprocess.Popen([sys.executable, "-c", code, str(os.getpid())])
        ctypes.CDLL(None).sleep(3)  # C code, which holds no lock of Python; it ends early by the signal at most
        watch.join()
        other.wait()
    assert seen[0][0]
    assert interrupt.asked, "the main thread has answered it meanwhile"
    assert interrupt.signalled
    assert not interrupt.at_once


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        interrupt = Interrupt(None)
        with interrupt.catch():
            os.kill(os.getpid(), signal.SIGHUP)
            assert not interrupt()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_time_limit() -> None:
    assert Interrupt(0.0)()
    assert not Interrupt(1e6)()
