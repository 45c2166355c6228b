"""Time of day that runs on steadily within a process, even if the clock of the machine is set meanwhile."""

from __future__ import annotations

import time

_START = time.time() - time.monotonic()


def steady_time() -> float:
    """Return unix seconds. Differences within a process are true durations."""
    return _START + time.monotonic()
