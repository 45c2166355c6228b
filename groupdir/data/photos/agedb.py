"""AgeDB-DIR: predict the age of the person in a photograph."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from groupdir.config.datasets import AgeDBConfig
from groupdir.data.base import SplitName
from groupdir.data.csv_file import RowMistake
from groupdir.data.manifest import Rows
from groupdir.data.photos.ages import AgePhotos
from groupdir.errors import DataError

PICTURES = "AgeDB"
_NAME = re.compile(r"(?P<id>\d+)_(?P<person>.*)_(?P<age>\d+)_[mf]\.jpe?g", re.IGNORECASE | re.DOTALL)


class AgeDB(AgePhotos):
    """AgeDB-DIR data set (Yang et al. 2021): photographs of people aged 1..101. You must have the pictures.

    It has 12,208 training, 2,140 validation and 2,140 test pictures. They are listed in `agedb.csv`, and their files
    are AgeDB/<id>_<name>_<age>_<m|f>.jpg as in the archive from the owners of AgeDB. Files are matched by id, because
    131 of the listed names may be spelled with other letters after unpacking. The age in the file name must equal the
    age in the list.
    """

    Config = AgeDBConfig
    config: AgeDBConfig
    manifest_name = "agedb.csv"
    folder_name = "agedb-dir"

    def rows(self, split: SplitName) -> Rows:
        """Return the pictures of a split. The file of each picture is the one with its id.

        Raises:
            DataError: If pictures are missing, have another age, or share an id. The error lists all of them.
        """
        listed = super().rows(split)
        files_of = pictures_by_id(self.folder / PICTURES)
        files, mistakes = [], list[RowMistake]()
        for number, file, age in zip(listed.numbers, listed.files, listed.y.tolist(), strict=True):
            candidates = files_of.get(_id(file), [])
            if len(candidates) == 1 and _age(candidates[0]) == age:
                files.append(candidates[0])
            else:
                mistakes.append((number, _wrong(file, age, candidates)))
        self.manifest.cells.refuse(mistakes)
        return replace(listed, files=tuple(files))

    @classmethod
    def person(cls, file: str) -> str | None:
        """Return the name of the person in a file name."""
        match = _NAME.fullmatch(Path(file).name)
        return match["person"] if match else None


def pictures_by_id(folder: Path) -> dict[int | None, list[Path]]:
    """Return the pictures in a folder by the id at the start of their names. Other files are skipped.

    Raises:
        DataError: If the folder cannot be read.
    """
    try:
        names = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(
            f"{folder}: must hold the pictures, <id>_<name>_<age>_<m|f>.jpg: {error.strerror}: request AgeDB from its "
            "owners and unpack it here"
        ) from error
    files_of: dict[int | None, list[Path]] = {}
    for file in names:
        if _NAME.fullmatch(file.name):
            files_of.setdefault(_id(file), []).append(file)
    return files_of


def _id(file: Path) -> int | None:
    first = file.name.partition("_")[0]
    return int(first) if first.isdecimal() else None


def _age(file: Path) -> float | None:
    match = _NAME.fullmatch(file.name)
    return float(match["age"]) if match else None


def _wrong(file: Path, age: float, candidates: list[Path]) -> str:
    """Return the mistake of a listed picture, given the files with its id."""
    want = f"one picture with the id of {file.name} must be in {PICTURES}/"
    if not candidates:
        return f"{want}, got none: unpack it there"
    if len(candidates) > 1:
        return f"{want}, got {', '.join(picture.name for picture in candidates)}: remove the wrong ones"
    return f"{want} and have age {age:g}, got {candidates[0].name}: the list and the pictures do not belong together"
