"""Early end of a run: by Ctrl-C or another signal, or by a time limit."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST = "stopping: running trials write their checkpoints, which takes some seconds; Ctrl-C again ends at once"
SECOND = "ending at once: trials continue from their last checkpoints after a resume"
LATER = "closing the event log"


class Interrupt:
    """Condition for an early end: a first Ctrl-C, SIGTERM or SIGHUP, or a time limit. A second signal ends at once.

    Each signal is answered with a line at once, because Ray may be busy for seconds.

    Args:
        max_seconds: Time limit in seconds from now, or None for no limit.

    Attributes:
        asked: Whether a signal has asked for the end, and the main thread has answered it.
        at_once: Whether a second signal has asked to end at once.
        out_of_time: Whether the time limit has passed.
    """

    def __init__(self, max_seconds: float | None) -> None:
        self.asked = False
        self.at_once = False
        self.out_of_time = False
        self._came = False
        self._arrivals = -1  # file descriptor from which each signal that came is read
        self._deadline = None if max_seconds is None else time.monotonic() + max_seconds

    def __call__(self) -> bool:
        """Return whether to end now."""
        self.out_of_time = self._deadline is not None and time.monotonic() >= self._deadline
        return self.asked or self.out_of_time

    @property
    def signalled(self) -> bool:
        """Whether a signal has come, even if the main thread waits for Ray and has not answered it. For any thread."""
        with contextlib.suppress(OSError):  # nothing to read
            self._came |= self._arrivals >= 0 and not set(SIGNALS).isdisjoint(os.read(self._arrivals, 512))
        return self.asked or self._came

    @contextlib.contextmanager
    def catch(self, answer: Callable[[str], None] | None = None) -> Iterator[None]:
        """Handle the signals within the context.

        A SIGHUP that is ignored, as under `nohup`, stays ignored. A shell starts background jobs with SIGINT ignored,
        but a search must still end when somebody sends the signal.

        Args:
            answer: Function that shows a line at once; None for `write_at_once`. It is not kept, because Ray pickles
                this object.
        """
        before = {number: signal.getsignal(number) for number in SIGNALS}
        kept = signal.SIGHUP if before.get(signal.SIGHUP) is signal.SIG_IGN else None
        handled = {number: handler for number, handler in before.items() if number != kept}
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        self._arrivals = read
        former = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in handled:
            signal.signal(number, partial(self._ask, answer or write_at_once))
        try:
            yield
        finally:
            for number, handler in handled.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(former)
            self._arrivals = -1
            os.close(read)
            os.close(write)

    def _ask(self, answer: Callable[[str], None], number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _leave_terminal()
        if self.at_once:
            answer(LATER)
        elif self.asked:
            self.at_once = True
            answer(SECOND)
            raise KeyboardInterrupt
        else:
            self.asked = True
            answer(FIRST)


def write_at_once(text: str) -> None:
    """Write a line to stderr without Python's buffers, which the interrupted code may be using."""
    with contextlib.suppress(OSError):
        os.write(2, f"\n{text}\n".encode())


def _leave_terminal() -> None:
    """Send further output nowhere if its terminal is gone, so that printing does not fail."""
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            if os.isatty(stream.fileno()):
                os.dup2(null, stream.fileno())
    os.close(null)
