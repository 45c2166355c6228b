"""Claim on work that must be done once by one of many processes on many nodes. It ends when its process ends."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from groupdir.errors import DataError, FileWriteError
from groupdir.files.fence import Fence
from groupdir.files.write_whole import write_whole

BEAT = 2.0
"""Seconds between two signs of life of the process that holds a claim."""

STALE = 30.0
"""Seconds without a sign of life after which a claim is void. A dead process on the same host voids it at once."""


class Claim:
    """Claim of one process on a folder. The folder may be on a file system that nodes share.

    A thread rewrites the owner's file while the process lives. A waiting process measures the time between two changes
    of that file on its clock, so the clocks of the nodes need not agree.

    A claim becomes void when the driver gives up the attempt that holds the claim; see `groupdir.files.fence`.

    Args:
        folder: The claimed folder, which must exist.
        attempt: Text of the `Attempt` that this process is, or empty for a process without a driver.
        fence: Fence of the driver, or None without one.
    """

    def __init__(self, folder: Path, attempt: str = "", fence: Fence | None = None) -> None:
        self._attempt = attempt
        self._fence = fence
        self._owner = folder / "owner.json"
        self._lock = folder / "owner.lock"
        self._mine = uuid.uuid4().hex
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen: tuple[str, float] = ("", 0.0)

    def take(self) -> bool:
        """Claim the folder if no living process holds a claim on it.

        Returns:
            True if this process holds the claim now, False if another process does; then call this again later.

        Raises:
            DataError: If the driver has given up this process.
        """
        if self._excluded(self._attempt):
            raise DataError(f"{self._owner.parent}: the driver has given up this process (attempt {self._attempt})")
        with self._alone():
            if not self._free():
                return False
            self._beat(0)
        self._over.clear()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()
        return True

    @property
    def held(self) -> bool:
        """True if this process still holds the claim that it took."""
        if self._thread is None or self._excluded(self._attempt):
            return False
        return self._read().get("token") == self._mine

    def release(self) -> None:
        """Give up the claim if this process holds it."""
        if self._thread is None:
            return
        self._over.set()
        self._thread.join()
        self._thread = None
        with self._alone():
            if self._read().get("token") == self._mine:
                self._owner.unlink(missing_ok=True)

    def _free(self) -> bool:
        """Return whether nobody holds a claim, or the claim is void."""
        owner = self._read()
        if not owner or self._excluded(str(owner.get("attempt", ""))):
            return True
        if owner.get("host") == socket.gethostname() and not _alive(int(owner.get("pid", 0))):
            return True
        text, now = json.dumps(owner), time.monotonic()
        if text != self._seen[0]:
            self._seen = (text, now)
        return now - self._seen[1] > STALE

    def _live(self) -> None:
        """Give signs of life until the claim is given up or lost."""
        beats = 0
        while not self._over.wait(BEAT):
            beats += 1
            # On a full disk the claim becomes void: another process takes over, and the work is done twice.
            with contextlib.suppress(OSError, FileWriteError), self._alone():
                if self._read().get("token") != self._mine or self._excluded(self._attempt):
                    return
                self._beat(beats)

    def _excluded(self, attempt: str) -> bool:
        return self._fence is not None and self._fence.excludes(attempt)

    def _beat(self, beats: int) -> None:
        about = {
            "token": self._mine, "host": socket.gethostname(), "pid": os.getpid(), "attempt": self._attempt,
            "beats": beats,
        }  # fmt: skip
        write_whole(self._owner, json.dumps(about))

    def _read(self) -> dict[str, Any]:
        try:
            owner = json.loads(self._owner.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return owner if isinstance(owner, dict) else {}

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Exclude every other process from reading and writing the owner's file in the context."""
        with self._lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _alive(pid: int) -> bool:
    """Return whether a process of this host lives. A zombie counts as dead."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state != "Z"
