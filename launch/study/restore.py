"""A study whose folder went with its machine, made anew from the copy of its record that is in its storage."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from groupdir.config.space import StudyConfig
from groupdir.errors import DataError
from groupdir.files.storage import Place
from groupdir.study.store import Store
from launch.study.study import CONFIG, STORE, refuse_existing


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
        content = (place / STORE).read()
    except OSError as error:
        why = str(error).splitlines()[0]
        text = f"{place}: must hold the {STORE} of a study, but that cannot be read: {why}: name <storage_path>/<name>"
        raise DataError(text) from error
    beside = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    beside.mkdir(parents=True)
    try:
        (beside / STORE).write_bytes(content)
        store = Store.open(beside / STORE)
        config = StudyConfig.from_dict(store.study, str(folder / CONFIG))
        store.close()
        (beside / CONFIG).write_text(config.to_yaml(), encoding="utf-8")
        beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
