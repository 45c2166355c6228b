"""Reading of a study that may be running, without locking or changing it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from groupdir.config.space import StudyConfig
from groupdir.errors import GroupdirError
from groupdir.files.study_files import EVENT_LOG, STUDY_CONFIG
from groupdir.study.state import StudyState, replay
from groupdir.study.store import Store


@dataclass(frozen=True)
class ReadStudy:
    """Study at one moment, as read from its event log.

    Attributes:
        folder: The study's folder.
        config: The study's configuration.
        state: The state after all events of the log.
    """

    folder: Path
    config: StudyConfig
    state: StudyState


def read_study(folder: str | Path) -> ReadStudy:
    """Return the study in a folder.

    Raises:
        DataError: If the folder holds no study, its event log is broken, or another version wrote it.
    """
    with event_log(folder) as (config, store):
        return ReadStudy(Path(folder), config, replay(store.events()))


def damage(folder: str | Path) -> str:
    """Return a message about the damage of a study's event log, or an empty text if it is intact or missing."""
    log = Path(folder) / EVENT_LOG
    if not log.exists():
        return ""
    try:
        store = Store.open(log, readonly=True)
        try:
            store.verify()
        finally:
            store.close()
    except GroupdirError as error:
        return str(error)
    return ""


@contextmanager
def event_log(folder: str | Path) -> Iterator[tuple[StudyConfig, Store]]:
    """Open the event log in a study's folder read-only, for a reader that needs the events one by one.

    Yields:
        The configuration and the store. The store is closed at the end of the context.

    Raises:
        DataError: If `read_study` would raise it.
    """
    folder = Path(folder)
    store = Store.open(folder / EVENT_LOG, readonly=True)
    try:
        yield study_config(store, folder), store
    finally:
        store.close()


def study_config(store: Store, folder: Path) -> StudyConfig:
    """Return the study's configuration after all changes. Its error messages name the study's YAML file."""
    config = first_config(store, folder)
    for changes in store.changes():
        config = config.changed(changes)
    return config


def first_config(store: Store, folder: Path) -> StudyConfig:
    """Return the configuration with which a study began, before any change."""
    return StudyConfig.from_dict(store.study, str(folder / STUDY_CONFIG))
