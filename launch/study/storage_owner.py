"""Owner of a study's storage: the driver that used it last. A copy of the study must not delete its checkpoints."""

from __future__ import annotations

import json
from typing import Any

from groupdir.errors import DataError
from groupdir.files.sealed import seal_mapping, verify_mapping
from groupdir.files.storage import Place
from groupdir.files.study_files import STORAGE_OWNER
from launch.study.study import Study

NAMES = ("start", "folder")


def refuse_other_owner(study: Study) -> None:
    """Refuse a storage that another copy of the study has used since the study was copied.

    The owner is known by the start time of its driver. A study that contains this start in its event log is the same
    study, perhaps at another place, and may use the storage.

    Raises:
        DataError: If the event log lacks the start of the driver that used the storage last, or the storage cannot be
            read.
    """
    if study.config.search.storage_path is None:
        return
    place = study.storage / STORAGE_OWNER
    try:
        owner: dict[str, Any] = verify_mapping(str(place), json.loads(place.read()), NAMES)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise DataError(f"{place}: cannot be read: {str(error).splitlines()[0]}: remove it, then resume") from error
    if owner.get("start") in study.state.starts:
        return
    raise DataError(
        f"{study.folder}: is a copy of the study in {owner.get('folder')}, which has used {study.storage} since: "
        f"the two would delete each other's checkpoints there. Resume {owner.get('folder')} instead; if it is gone, "
        f"remove {place}, then resume"
    )


def own(study: Study) -> None:
    """Write to the storage of a study that this driver, whose start is recorded, uses it."""
    if study.config.search.storage_path is not None:
        content = seal_mapping({"start": study.state.session_start, "folder": str(study.folder)})
        (study.storage / STORAGE_OWNER).write(json.dumps(content).encode())


def disown(place: Place) -> None:
    """Forget the owner of a storage, for a study that is rebuilt from an older copy of its event log."""
    (place / STORAGE_OWNER).remove()
