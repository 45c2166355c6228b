"""The early end of a run: each signal is answered at once, and a signal that is ignored stays ignored."""

import os
import signal
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
