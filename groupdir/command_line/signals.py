"""Signals that ask a command to end: Ctrl-C, SIGTERM and SIGHUP, also for a job in the background."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Handler = Callable[[int, FrameType | None], object]


@contextlib.contextmanager
def handled_by(handler: Handler) -> Iterator[None]:
    """Handle the signals by a function within the context.

    A SIGHUP that is ignored, as under `nohup`, stays ignored. A shell starts background jobs with SIGINT ignored, but a
    run must still end when somebody sends the signal.
    """
    before = {number: signal.getsignal(number) for number in SIGNALS}
    if before[signal.SIGHUP] is signal.SIG_IGN:
        del before[signal.SIGHUP]
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


@contextlib.contextmanager
def interruptible(answer: str) -> Iterator[None]:
    """Let the first signal within the context raise KeyboardInterrupt, as Ctrl-C does. Later ones change nothing.

    In another thread than the main one this context does nothing, because Python handles signals in the main thread.

    Args:
        answer: Line that is shown at once when the signal arrives.

    Raises:
        KeyboardInterrupt: If a signal has arrived.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if number == signal.SIGHUP:
            leave_terminal()
        if not asked:
            asked = True
            write_at_once(answer)
            raise KeyboardInterrupt

    with handled_by(end):
        yield


def write_at_once(text: str) -> None:
    """Write a line to stderr without Python's buffers, which the interrupted code may be using."""
    with contextlib.suppress(OSError):
        os.write(2, f"\n{text}\n".encode())


def leave_terminal() -> None:
    """Send further output nowhere if its terminal is gone, so that printing does not fail."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            if os.isatty(stream.fileno()):
                os.dup2(null, stream.fileno())
    os.close(null)
