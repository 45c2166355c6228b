"""Early end of a run: by Ctrl-C or another signal, or by a time limit."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType

from groupdir.command_line.signals import SIGNALS, handled_by, leave_terminal, write_at_once

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
        """Handle the signals within the context; see `groupdir.command_line.signals.handled_by`.

        Args:
            answer: Function that shows a line at once; None for `write_at_once`. It is not kept, because Ray pickles
                this object.
        """
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        self._arrivals = read
        former = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        try:
            with handled_by(partial(self._ask, answer or write_at_once)):
                yield
        finally:
            signal.set_wakeup_fd(former)
            self._arrivals = -1
            os.close(read)
            os.close(write)

    def _ask(self, answer: Callable[[str], None], number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            leave_terminal()
        if self.at_once:
            answer(LATER)
        elif self.asked:
            self.at_once = True
            answer(SECOND)
            raise KeyboardInterrupt
        else:
            self.asked = True
            answer(FIRST)
