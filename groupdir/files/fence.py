"""Fence that makes the claims of given-up processes void, although these processes may still run.

A driver gives a process up when it cannot reach the process any more. The process may still reach the storage, so that
its claim would stay alive. The driver therefore lists in a file which attempts at a trial it has given up.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from groupdir.files.write_whole import write_whole


@dataclass(frozen=True)
class Attempt:
    """Attempt at a trial: one process that trains it.

    Attributes:
        run: Name of the run of the driver that started the process.
        trial: Number of the trial.
        number: Number of the attempt in this run, from 0.
    """

    run: str
    trial: int
    number: int

    def __str__(self) -> str:
        return f"{self.run}/{self.trial}/{self.number}"


@dataclass(frozen=True)
class Fence:
    """File that lists the attempts which a driver has given up. Only the driver writes it.

    Attributes:
        path: Path of the file, in a folder that all nodes see.
    """

    path: Path

    def write(self, run: str, given_up: Collection[Attempt] = ()) -> None:
        """Give up all attempts of other runs, and some of this run.

        Args:
            run: Name of the run of the driver. A study has one driver at a time.
            given_up: Attempts of this run that the driver has given up.

        Raises:
            FileWriteError: If the file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, json.dumps({"run": run, "given_up": sorted(map(str, given_up))}))

    def excludes(self, attempt: str) -> bool:
        """Return whether the driver has given up an attempt. Without the file, no attempt is given up.

        Args:
            attempt: Text of an `Attempt`. An empty text is a process without a driver, which cannot be given up.
        """
        record = self._read()
        if not attempt or not record:
            return False
        return attempt.partition("/")[0] != record.get("run") or attempt in record.get("given_up", ())

    def _read(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            record = json.loads(self.path.read_text(encoding="utf-8"))
            if isinstance(record, dict):
                return record
        return {}
