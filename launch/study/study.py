"""A study's folder with its one driver: configuration, store and state together."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol

from groupdir.command_line.next_command import next_command
from groupdir.config.space import StudyConfig
from groupdir.errors import ConfigError, DataError
from groupdir.files.schema import refuse_old_benchmark
from groupdir.files.storage import Place
from groupdir.files.study_files import BENCHMARK, EVENT_LOG, RAY, RUN_PREFIX, STAGES, STUDY_CONFIG, STUDY_LOCK
from groupdir.files.write_whole import whole_folder
from groupdir.study.events import Event, Kind
from groupdir.study.read import study_config
from groupdir.study.state import StudyState, fold, replay
from groupdir.study.store import Store

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
        """Takes an event; None for an epoch that is there already."""
        ...

    def events(self, after: int = 0) -> Iterator[Event]:
        """The events after a place in the order of arrival."""
        ...

    def copy_to(self, path: Path) -> None:
        """Writes a consistent copy."""
        ...

    def close(self) -> None:
        """No more is appended."""
        ...


class Study:
    """An open study. Only one process has it open at a time; use `create` or `open`."""

    def __init__(self, folder: Path, config: StudyConfig, store: Journal, lock: IO[str] | None) -> None:
        self.folder = folder
        self.config = config
        self.state: StudyState = replay(store.events())
        self.watchers: list[Watcher] = []
        self._store = store
        self._lock = lock

    @classmethod
    def create(cls, folder: str | Path, config: StudyConfig) -> Study:
        """Makes the folder, as a whole or not at all, and opens it.

        Raises:
            ConfigError: Something is there already.
        """
        folder = Path(folder).absolute()
        refuse_existing(folder)
        with whole_folder(folder) as partial:
            (partial / STUDY_CONFIG).write_text(config.to_yaml(), encoding="utf-8")
            Store.create(partial / EVENT_LOG, config.to_dict()).close()
        return cls.open(folder)

    @classmethod
    def open(cls, folder: str | Path) -> Study:
        """Opens the folder of a study to go on with it.

        Raises:
            DataError: It is no study, another driver has it, or another version wrote it.
        """
        folder = Path(folder).absolute()
        if not (folder / EVENT_LOG).is_file():
            refuse_old_benchmark(folder)
            todo = "it is a benchmark: search it again, which resumes it" if _is_benchmark(folder) else "see `search`"
            raise DataError(f"{folder}: must be the folder of a study, but has no {EVENT_LOG}: {todo}")
        lock = (folder / STUDY_LOCK).open("a+")
        if not _lock(lock):
            lock.seek(0)
            pid = lock.read().strip() or "unknown"
            lock.close()
            raise DataError(f"{folder}: another driver (process {pid}) is at work on it: wait for it or end it")
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            store = Store.open(folder / EVENT_LOG)
            config = study_config(store, folder)
        except BaseException:
            lock.close()
            raise
        return cls(folder, config, store, lock)

    @property
    def storage(self) -> Place:
        """Where Ray writes: in this folder, or where all nodes can."""
        path = self.config.search.storage_path
        return Place(str(self.folder)) / RAY if path is None else Place.at(path) / self.config.name

    def runs(self) -> list[Place]:
        """The folders of the experiments that Ray has made for this study."""
        return [self.storage / name for name in self.storage.names() if name.startswith(RUN_PREFIX)]

    @property
    def stages(self) -> Place | None:
        """Where trials share first stages; None where the study does not."""
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
        """Writes an event and folds it into the state.

        Returns:
            Whether it is new; an epoch that is there already changes nothing.
        """
        event = self._store.append(kind, trial=trial, seed=seed, epoch=epoch, payload=payload)
        if event is None:
            return False
        fold(self.state, event)
        for watcher in self.watchers:
            watcher(self.state, event)
        return True

    def events(self) -> Iterator[Event]:
        """All events, in the order of their arrival."""
        return self._store.events()

    def copy_store(self, path: Path) -> None:
        """Writes a consistent copy of the store."""
        self._store.copy_to(path)

    def close(self) -> None:
        """Closes the store and lets another driver in; the lock then names no process that is gone."""
        self._store.close()
        if self._lock is not None and not self._lock.closed:
            self._lock.truncate(0)
            self._lock.close()

    def __reduce__(self) -> tuple[Callable[[Path], Path], tuple[Path]]:
        """Ray pickles searcher and scheduler into a file that nothing here reads: the store is the truth, not that."""
        return Path, (self.folder,)


def _is_benchmark(folder: Path) -> bool:
    return (folder / BENCHMARK).is_file()


def _lock(lock: IO[str]) -> bool:
    """Whether the lock is this process's now; one who only looks whether it is free has it for a moment."""
    for wait in (0.0, 0.01, 0.1):
        time.sleep(wait)
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False


def refuse_existing(folder: Path) -> None:
    """Refuses to write into anything that is there.

    Raises:
        ConfigError: Something is.
    """
    if folder.exists():
        again = next_command("resume", folder) if (folder / EVENT_LOG).exists() else "remove it"
        raise ConfigError(f"{folder}: exists already, and nothing is written over: {again}, or take another --out")
