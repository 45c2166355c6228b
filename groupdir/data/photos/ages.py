"""Base of the published age data sets: the list of pictures, label bins of one year, and the shots."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from groupdir.config.datasets import PhotosConfig
from groupdir.data.base import SplitName, Targets
from groupdir.data.comparisons import Comparison, SharedKeys
from groupdir.data.manifest import Names, Rows, read_manifest
from groupdir.data.photos.base import Photos
from groupdir.errors import DataError
from groupdir.metrics import ShotSplit

COLUMNS = Names("age", "path", "split", split_needed=True, options=False)


class AgePhotos(Photos):
    """Data set of photographs of people of known age, with the published split.

    Ages of 100 and more belong to the last group. For sample weights, ages of 120 and more share one bin. The network
    predicts (age - 50) / 10, as for the built-in faces, so settings that suit the faces also suit these data sets.

    Attributes:
        manifest_name: Name of the CSV file in the root, with the columns age, path and split.
        folder_name: Name of a subfolder of `data.root` that may hold this file instead.

    Source: Yang et al. 2021.

    Differences from the source: the published network predicts the age itself.
    """

    manifest_name: ClassVar[str]
    folder_name: ClassVar[str]

    def __init__(self, config: PhotosConfig) -> None:
        super().__init__(config)
        folders = [Path(config.root), Path(config.root) / self.folder_name]
        roots = [folder for folder in folders if (folder / self.manifest_name).is_file()]
        if not roots:
            raise DataError(
                f"data.root: must be a folder that holds {self.manifest_name}, got {config.root}: neither "
                f"{self.manifest_name} nor {self.folder_name}/{self.manifest_name} exists there"
            )
        self.folder = roots[0]
        manifest = read_manifest(self.folder / self.manifest_name, COLUMNS)
        self.manifest = replace(manifest, y=manifest.y.astype(np.float32))  # holds whole ages exactly

    @property
    def targets(self) -> Targets:
        """Ages in years, in bins of one year."""
        return Targets(low=0, high=100, bin_width=1, unit="years", center=50, scale=10, weights_high=121)

    @property
    def shots(self) -> ShotSplit:
        """Ages with more than 100 training pictures are many-shot, with fewer than 20 few-shot."""
        return ShotSplit.from_train(self.labels("train"), bin_width=1, many=100, few=20)

    def labels(self, name: SplitName) -> np.ndarray:
        """Return the ages of a split without reading pictures."""
        return self.manifest.y[self.manifest.of_split(name)]

    def comparisons(self) -> Sequence[Comparison]:
        """Return the comparison of persons, which the list of pictures names, and those of the pictures."""
        return [SharedKeys("the same person", self._persons), *super().comparisons()]

    def sample_name(self, name: SplitName, index: int) -> str:
        """Return the place of a picture in the list, and its file there."""
        row = int(self.manifest.of_split(name)[index])
        return f"{self.manifest.cells.place(self.manifest.cells.numbers[row])} {self.manifest.files[row]}"

    @classmethod
    @abstractmethod
    def person(cls, file: str) -> str | None:
        """Return the person in a picture, given its file in the list, or None if the file does not tell."""

    def _persons(self, split: SplitName) -> list[tuple[str, ...]]:
        persons = [self.person(self.manifest.files[row]) for row in self.manifest.of_split(split).tolist()]
        return [() if person is None else (person,) for person in persons]

    def rows(self, split: SplitName) -> Rows:
        """Return the pictures of a split, in the order of the manifest."""
        return self.manifest.rows(self.manifest.of_split(split), self.folder)
