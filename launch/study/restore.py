"""Recovery of a study from the copy in its storage after its machine was lost."""

from __future__ import annotations

from pathlib import Path

from groupdir.errors import DataError
from groupdir.files.sealed import seal_text
from groupdir.files.storage import Place
from groupdir.files.study_files import EVENT_LOG, STUDY_CONFIG
from groupdir.files.write_whole import whole_folder
from groupdir.study.read import study_config
from groupdir.study.state import replay
from groupdir.study.store import Store
from launch.study.storage_owner import disown
from launch.study.study import refuse_existing


def bring_back(place: Place, folder: Path) -> None:
    """Rebuild the folder of a study from the copy of the event log in its storage.

    The copy is up to `search.snapshot_minutes` old, and later epochs are trained again. A trial whose checkpoint was
    replaced after the copy starts again at its first epoch. No epoch of the copy is lost or counted twice.

    Args:
        place: Place of the study in its storage, such as s3://bucket/path/agedb.
        folder: New folder of the study.

    Raises:
        DataError: If the storage has no copy, or the copy cannot be read.
        ConfigError: If the folder exists.
    """
    refuse_existing(folder)
    try:
        content = (place / EVENT_LOG).read()
    except OSError as error:
        why = str(error).splitlines()[0]
        text = f"{place}: must hold the {EVENT_LOG} of a study, but reading it fails: {why}: name <storage_path>/<name>"
        raise DataError(text) from error
    with whole_folder(folder) as partial:
        (partial / EVENT_LOG).write_bytes(content)
        store = Store.open(partial / EVENT_LOG)  # not read-only, which would fail for a log that was copied in WAL mode
        try:
            config = study_config(store, folder)
            replay(store.events())  # verifies each event
        finally:
            store.close()
        (partial / STUDY_CONFIG).write_text(seal_text(config.to_yaml()), encoding="utf-8")
    disown(place)
