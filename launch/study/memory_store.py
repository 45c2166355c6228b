"""A store without a disk, for simulated studies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from groupdir.study.events import Event, Kind, without_nan


class MemoryStore:
    """The events of a study in a list; in all else as `groupdir.study.store.Store`.

    Args:
        clock: Gives the time that events are stamped with, in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.list: list[Event] = []
        self._clock = clock
        self._epochs: set[tuple[int | None, int | None, int | None]] = set()

    def append(
        self,
        kind: Kind,
        *,
        trial: int | None = None,
        seed: int | None = None,
        epoch: int | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> Event | None:
        """Takes an event; None for an epoch that is there already."""
        key = (trial, seed, epoch)
        if kind == "epoch" and key in self._epochs:
            return None
        if kind == "epoch":
            self._epochs.add(key)
        event = Event(len(self.list) + 1, self._clock(), kind, trial, seed, epoch, without_nan(payload or {}))
        self.list.append(event)
        return event

    def events(self, after: int = 0) -> Iterator[Event]:
        """The events after a place in the order of arrival."""
        yield from self.list[after:]

    def copy_to(self, path: Path) -> None:
        """Refuses.

        Raises:
            ValueError: Always: there is no file to copy.
        """
        raise ValueError(f"{path}: a simulated study has no file")

    def close(self) -> None:
        """Nothing is open."""
