"""Attempts at the trials of a run: each process that trains a trial has a number, and can be given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groupdir.config.stage import shareable
from groupdir.errors import FileWriteError
from groupdir.files.fence import Attempt, Fence
from groupdir.files.study_files import GIVEN_UP

if TYPE_CHECKING:
    from collections.abc import Callable

    from launch.study.study import Study


class Attempts:
    """Attempts of the driver's current run.

    A process that the driver gives up may still run on the other side of a broken network, and may hold a claim on a
    first stage that other trials wait for. The fence makes that claim void.

    Args:
        study: The study.
        run: Name of the driver's run.
        say: Function that prints a line.
    """

    def __init__(self, study: Study, run: str, say: Callable[[str], None]) -> None:
        place = study.stages if any(map(shareable, study.config.space.corner_stages)) else None
        self._fence = None if place is None or place.path is None else Fence(place.path / GIVEN_UP)
        self._run, self._say = run, say
        self._latest: dict[int, int] = {}
        self._given_up: set[Attempt] = set()
        self._write()  # gives up the processes of earlier drivers

    def begin(self, trial: int) -> str:
        """Return the text of a new attempt at a trial. Earlier attempts at the trial are given up."""
        if trial in self._latest:
            self.give_up(trial)
        self._latest[trial] = self._latest.get(trial, -1) + 1
        return str(Attempt(self._run, trial, self._latest[trial]))

    def give_up(self, trial: int) -> None:
        """Make the claims of the latest attempt at a trial void."""
        attempt = Attempt(self._run, trial, self._latest.get(trial, 0))
        if attempt not in self._given_up:
            self._given_up.add(attempt)
            self._write()

    def _write(self) -> None:
        if self._fence is None:
            return
        try:
            self._fence.write(self._run, self._given_up)
        except (OSError, FileWriteError) as error:  # the claims then end when their processes do
            self._say(f"{self._fence.path}: cannot be written, so trials may wait: {str(error).splitlines()[0]}")
