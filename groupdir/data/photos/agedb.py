"""AgeDB-DIR: how old is the person in this photograph?"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from groupdir.config.datasets import AgeDBConfig
from groupdir.data.base import SplitName
from groupdir.data.cells import RowMistake
from groupdir.data.manifest import Rows
from groupdir.data.photos.ages import AgePhotos
from groupdir.errors import DataError

PICTURES = "AgeDB"
_NAME = re.compile(r"(?P<id>\d+)_.*_(?P<age>\d+)_[mf]\.jpe?g", re.IGNORECASE | re.DOTALL)


class AgeDB(AgePhotos):
    """AgeDB-DIR (Yang et al. 2021): ages 1..101 of people in photographs, of pictures that you have.

    12,208 training, 2,140 validation and 2,140 test pictures: `agedb.csv`, and AgeDB/<id>_<name>_<age>_<m|f>.jpg as the
    owners of AgeDB give them. A picture is found by its id, since the list holds 131 names that an archive may have
    unpacked in other letters; its age must be the list's.
    """

    Config = AgeDBConfig
    config: AgeDBConfig
    manifest_name = "agedb.csv"
    folder_name = "agedb-dir"

    def rows(self, split: SplitName) -> Rows:
        """The pictures of a split, each the file with its id.

        Raises:
            DataError: Pictures are missing, or of another age, or two have one id: all of them, with their rows.
        """
        listed = super().rows(split)
        there = pictures_by_id(self.folder / PICTURES)
        files, mistakes = [], list[RowMistake]()
        for number, file, age in zip(listed.numbers, listed.files, listed.y.tolist(), strict=True):
            found = there.get(_id(file), [])
            if len(found) == 1 and _age(found[0]) == age:
                files.append(found[0])
            else:
                mistakes.append((number, _wrong(file, age, found)))
        self.manifest.cells.refuse(mistakes)
        return replace(listed, files=tuple(files))


def pictures_by_id(folder: Path) -> dict[int | None, list[Path]]:
    """The pictures in a folder by the number that their names begin with; other files are left out.

    Raises:
        DataError: There is no such folder.
    """
    try:
        names = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(
            f"{folder}: must hold the pictures, <id>_<name>_<age>_<m|f>.jpg: {error.strerror}: unpack AgeDB "
            "here, which its owners give on request"
        ) from error
    found: dict[int | None, list[Path]] = {}
    for file in names:
        if _NAME.fullmatch(file.name):
            found.setdefault(_id(file), []).append(file)
    return found


def _id(file: Path) -> int | None:
    first = file.name.partition("_")[0]
    return int(first) if first.isdecimal() else None


def _age(file: Path) -> float | None:
    match = _NAME.fullmatch(file.name)
    return float(match["age"]) if match else None


def _wrong(file: Path, age: float, found: list[Path]) -> str:
    """What is wrong with a picture of the list, of which these have the id."""
    want = f"one picture with the id of {file.name} must be in {PICTURES}/"
    if not found:
        return f"{want}, got none: unpack it there"
    if len(found) > 1:
        return f"{want}, got {', '.join(picture.name for picture in found)}: take the wrong ones out"
    return f"{want} and be of age {age:g}, got {found[0].name}: the list and the pictures do not belong together"
