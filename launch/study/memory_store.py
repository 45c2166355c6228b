"""Event log in memory, for simulated studies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from groupdir.study.events import Event, Kind, without_nan


class MemoryStore:
    """Event log in a list, with the methods of `groupdir.study.store.Store`.

    Args:
        clock: Function that returns the time stamp of an event, in seconds.
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
        """Append an event and return it, or return None for an epoch that the log has already."""
        key = (trial, seed, epoch)
        if kind == "epoch" and key in self._epochs:
            return None
        if kind == "epoch":
            self._epochs.add(key)
        event = Event(len(self.list) + 1, self._clock(), kind, trial, seed, epoch, without_nan(payload or {}))
        self.list.append(event)
        return event

    def events(self, after: int = 0) -> Iterator[Event]:
        """Yield the events after the first `after` ones, in the order of arrival."""
        yield from self.list[after:]

    def copy_to(self, path: Path) -> None:
        """Refuse to copy the event log.

        Raises:
            ValueError: On every call, because there is no file to copy.
        """
        raise ValueError(f"{path}: cannot be written: a simulated study has no event log on disk")

    def close(self) -> None:
        """Do nothing, because no file is open."""
