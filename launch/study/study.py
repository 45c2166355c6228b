"""Study that is open in its driver: folder, configuration, event log and state."""

from __future__ import annotations

import glob
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from groupdir.command_line.next_command import next_command
from groupdir.config.space import StudyConfig
from groupdir.errors import ConfigError, DataError, GroupdirError
from groupdir.files.abandoned import discard_abandoned
from groupdir.files.schema import refuse_old_benchmark
from groupdir.files.sealed import seal_text
from groupdir.files.storage import Place
from groupdir.files.study_files import BENCHMARK, CHECKPOINTS, EVENT_LOG, RAY, RUN_PREFIX, STAGES, STUDY_CONFIG
from groupdir.files.write_whole import whole_folder
from groupdir.names import plain_name
from groupdir.study.events import Event, Kind
from groupdir.study.read import study_config
from groupdir.study.state import StudyState, fold, replay
from groupdir.study.store import Store
from launch.study.driver_lock import DriverLock

Watcher = Callable[[StudyState, Event], None]


class Journal(Protocol):
    """Event log of a study: `groupdir.study.store.Store` on disk, or `MemoryStore` in a simulation."""

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
        ...

    def events(self, after: int = 0) -> Iterator[Event]:
        """Yield the events after the first `after` ones, in the order of arrival."""
        ...

    def copy_to(self, path: Path) -> None:
        """Write a consistent copy of the event log."""
        ...

    def close(self) -> None:
        """Close the event log. No event can be appended afterwards."""
        ...


class Study:
    """Open study. Only one process can open a study at a time. Use `create` or `open` instead of the constructor.

    Attributes:
        folder: Absolute path of the study's folder.
        config: Configuration of the study.
        state: State after all events.
        watchers: Functions that are called after each event.
        failure: Error of the event that could not be written, or None. No event can follow it, so the run must end.
        notices: Messages about what opening the study has changed.
        writing: Lock of the thread that writes an event. A thread that never releases it is the last to write.
    """

    def __init__(self, folder: Path, config: StudyConfig, store: Journal, lock: DriverLock | None) -> None:
        self.folder = folder
        self.config = config
        self.state: StudyState = replay(store.events())
        self.watchers: list[Watcher] = []
        self.failure: GroupdirError | None = None
        self.notices: list[str] = []
        self.writing = threading.RLock()
        self._store = store
        self._lock = lock

    @classmethod
    def create(cls, folder: str | Path, config: StudyConfig) -> Study:
        """Create the folder of a study, completely or not at all, and open it.

        Raises:
            ConfigError: If the folder exists.
        """
        folder = Path(folder).absolute()
        refuse_existing(folder)
        with whole_folder(folder) as partial:
            (partial / STUDY_CONFIG).write_text(seal_text(config.to_yaml()), encoding="utf-8")
            Store.create(partial / EVENT_LOG, config.to_dict()).close()
        return cls.open(folder)

    @classmethod
    def open(cls, folder: str | Path) -> Study:
        """Open the folder of a study to continue it.

        Raises:
            DataError: If the folder is not a study, is open in another driver, or was written by another version.
        """
        folder = Path(folder).absolute()
        if not (folder / EVENT_LOG).is_file():
            refuse_old_benchmark(folder)
            hint = "start one with `groupdir search`"
            if _is_benchmark(folder):
                hint = "it is a benchmark: run `groupdir benchmark` again, which resumes it"
            raise DataError(f"{folder}: must be the folder of a study, but has no {EVENT_LOG}: {hint}")
        lock = DriverLock.take(folder)
        try:
            discard_leftovers(folder)
            store = Store.open(folder / EVENT_LOG)
            study = cls(folder, study_config(store, folder), store, lock)
        except BaseException:
            lock.release()
            raise
        if store.upgraded:
            study.notices.append(f"{folder}: an older version wrote this study without checksums; they are added now")
        return study

    @property
    def storage(self) -> Place:
        """Place that Ray writes to: in the study's folder, or in `search.storage_path`, which all nodes can reach."""
        return stored_at(self.config) or Place(str(self.folder)) / RAY

    def runs(self) -> list[Place]:
        """Return the folders of the experiments that Ray has created for this study."""
        return [self.storage / name for name in self.storage.names() if name.startswith(RUN_PREFIX)]

    @property
    def stages(self) -> Place | None:
        """Place of the first stages that trials share, or None if the study shares none."""
        search = self.config.search
        if not search.share_stages:
            return None
        return (Place(str(self.folder)) if search.storage_path is None else self.storage) / STAGES

    def append(
        self,
        kind: Kind,
        *,
        trial: int | None = None,
        seed: int | None = None,
        epoch: int | None = None,
        payload: Mapping[str, Any] | None = None,
    ) -> bool:
        """Write an event to the event log and update the state. An epoch that the log has already changes nothing.

        Returns:
            True if the event is new.

        Raises:
            DataError: If the folder was moved, or another driver has written to the event log.
            FileWriteError: If the disk is full.
        """
        with self.writing:
            return self._append(kind, trial, seed, epoch, payload)

    def _append(
        self,
        kind: Kind,
        trial: int | None,
        seed: int | None,
        epoch: int | None,
        payload: Mapping[str, Any] | None,
    ) -> bool:
        if self.failure is not None:
            raise self.failure
        try:
            if self._lock is not None and not self._lock.is_in_place:
                remedy = "the events are safe in the folder's new place: resume the study there"
                raise DataError(f"{self.folder}: was moved, renamed or removed while its search ran: {remedy}")
            event = self._store.append(kind, trial=trial, seed=seed, epoch=epoch, payload=payload)
        except GroupdirError as error:
            self.failure = error
            raise
        if event is None:
            return False
        fold(self.state, event)
        for watcher in self.watchers:
            watcher(self.state, event)
        return True

    def change(self, changes: Mapping[str, Any]) -> None:
        """Change options of the search by an event, so that a resume, a reader and an audit see the change.

        Args:
            changes: New values by dotted address.

        Raises:
            ConfigError: If the new values do not fit.
        """
        config = self.config.changed(changes)  # before the event, so that no wrong change is written
        self.append("changed", payload={"changes": dict(changes)})
        self.config = config

    def end(self) -> None:
        """Record the end of the driver, even after a failure: space may have been freed meanwhile.

        Raises:
            GroupdirError: If it still cannot be recorded. A resume then takes the last event for the end.
        """
        self.failure = None
        self.append("driver", payload={"action": "end", "pid": os.getpid()})

    def events(self) -> Iterator[Event]:
        """Return an iterator over all events, in the order of arrival."""
        return self._store.events()

    def copy_store(self, path: Path) -> None:
        """Write a consistent copy of the event log to a file."""
        self._store.copy_to(path)

    def close(self) -> None:
        """Close the event log and release the lock."""
        self._store.close()
        if self._lock is not None:
            self._lock.release()

    def __reduce__(self) -> tuple[Callable[[Path], Path], tuple[Path]]:
        """Replace the study in Ray's pickle of searcher and scheduler, which is never read."""
        return Path, (self.folder,)


def stored_at(config: StudyConfig) -> Place | None:
    """Return the place of a study in its storage, or None without a storage. In a URI its name is a plain one."""
    if config.search.storage_path is None:
        return None
    place = Place.at(config.search.storage_path)
    return place / (config.name if place.path is not None else plain_name(config.name))


def discard_leftovers(folder: Path) -> list[Path]:
    """Delete the partial files that killed drivers and workers have left in a study and next to it. Return them."""
    inside = discard_abandoned(folder, (".*", f"{CHECKPOINTS}/.*", f"{STAGES}/*/.*"))
    return inside + discard_abandoned(folder.parent, (f".{glob.escape(folder.name)}.*",))


def _is_benchmark(folder: Path) -> bool:
    return (folder / BENCHMARK).is_file()


def refuse_existing(folder: Path) -> None:
    """Refuse a folder that exists, because nothing is overwritten.

    Raises:
        ConfigError: If the folder exists.
    """
    if folder.exists():
        remedy = next_command("resume", folder) if (folder / EVENT_LOG).exists() else "remove it"
        raise ConfigError(f"{folder}: exists already, and nothing is overwritten: {remedy}, or choose another --out")
