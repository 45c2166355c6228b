"""Two copies of a study with one storage: only one of them may use it, so that no checkpoint is lost."""

import shutil
from pathlib import Path

import pytest

from groupdir.config.space import StudyConfig
from groupdir.errors import DataError
from groupdir.files.storage import Place
from launch.study.restore import bring_back
from launch.study.storage_owner import own, refuse_other_owner
from launch.study.study import Study
from tests.launch.conftest import CONTENT


def use(folder: Path, action: str = "resume") -> None:
    """A driver that uses the storage of a study."""
    study = Study.open(folder)
    try:
        refuse_other_owner(study)
        study.append("driver", payload={"action": action, "pid": 1})
        own(study)
        study.append("driver", payload={"action": "end", "pid": 1})
        study.copy_store(Path(study.storage.base) / "study.sqlite")
    finally:
        study.close()


def test_the_second_of_two_copies_is_refused(results: Path, tmp_path: Path) -> None:
    search = {**CONTENT["search"], "storage_path": str(tmp_path / "storage")}
    study = Study.create(results / "small", StudyConfig.from_dict({**CONTENT, "search": search}))
    study.close()
    use(study.folder, "start")
    copy = Path(shutil.copytree(study.folder, results / "copy"))
    use(study.folder)
    use(study.folder)
    with pytest.raises(
        DataError, match=r"copy: is a copy of the study in .*small, which has used .*storage/small since"
    ):
        use(copy)
    moved = study.folder.rename(results / "moved")
    use(moved)
    place = Place.at(tmp_path / "storage" / "small")
    bring_back(place, results / "rebuilt")
    use(results / "rebuilt")
    with pytest.raises(DataError, match=r"is a copy of the study in .*rebuilt"):
        use(moved)


def test_a_study_without_a_storage_owns_its_folder(study: Study) -> None:
    refuse_other_owner(study)
    own(study)
    assert not (study.folder / "ray").exists()
