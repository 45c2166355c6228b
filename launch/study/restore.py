"""A study whose folder went with its machine, made anew from the copy of its record that is in its storage."""

from __future__ import annotations

from pathlib import Path

from groupdir.errors import DataError
from groupdir.files.storage import Place
from groupdir.files.study_files import EVENT_LOG, STUDY_CONFIG
from groupdir.files.write_whole import whole_folder
from groupdir.study.read import study_config
from groupdir.study.store import Store
from launch.study.study import refuse_existing


def bring_back(place: Place, folder: Path) -> None:
    """Makes a study's folder from its storage.

    The copy there is as old as `search.snapshot_minutes`: epochs after it are trained again, those of a trial whose
    checkpoint has been replaced since from its beginning. What the copy has is neither lost nor doubled.

    Args:
        place: The study's in its storage, such as s3://bucket/path/agedb.
        folder: Where it goes.

    Raises:
        DataError: There is no copy, or it cannot be read.
        ConfigError: The folder is there already.
    """
    refuse_existing(folder)
    try:
        content = (place / EVENT_LOG).read()
    except OSError as error:
        why = str(error).splitlines()[0]
        text = (
            f"{place}: must hold the {EVENT_LOG} of a study, but that cannot be read: {why}: name <storage_path>/<name>"
        )
        raise DataError(text) from error
    with whole_folder(folder) as partial:
        (partial / EVENT_LOG).write_bytes(content)
        store = Store.open(partial / EVENT_LOG)  # not read-only: that would refuse a log that was copied in WAL mode
        try:
            config = study_config(store, folder)
        finally:
            store.close()
        (partial / STUDY_CONFIG).write_text(config.to_yaml(), encoding="utf-8")
