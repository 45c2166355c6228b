"""SIGTERM in a worker whose driver receives the same signal and ends the worker itself, after its checkpoint."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType


def leave_termination_to_driver() -> None:
    """Ignore SIGTERM in this process, but not in the processes that it starts, if the driver has blocked the signal.

    A driver blocks SIGTERM in the processes of its own Ray. If it stayed blocked here, then the workers of a data
    loader would inherit the block, and whoever ends them would wait for ever. Elsewhere this function does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ()):
        return
    signal.signal(signal.SIGTERM, _ignore)  # unlike SIG_IGN, a handler is not inherited by other programs
    # A forked process would inherit the handler. The signal waits until the process has none.
    os.register_at_fork(before=_block, after_in_parent=_unblock, after_in_child=_obey)
    _unblock()


def _block() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _ignore(number: int, frame: FrameType | None) -> None:
    print("SIGTERM is ignored: the driver ends this process, and SIGKILL does", flush=True)


def _obey() -> None:
    if signal.getsignal(signal.SIGTERM) is _ignore:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _unblock()
