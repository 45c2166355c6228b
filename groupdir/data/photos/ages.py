"""What the published age data sets share: the list of pictures, the bins of a year, the shots."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from groupdir.config.datasets import PhotosConfig
from groupdir.data.base import SplitName, Targets
from groupdir.data.manifest import Names, Rows, read_manifest
from groupdir.data.photos.base import Photos
from groupdir.errors import DataError
from groupdir.metrics import ShotSplit

COLUMNS = Names("age", "path", "split", split_needed=True, options=False)


class AgePhotos(Photos):
    """Photographs of people whose age is known, with the published split.

    Ages from 100 on belong to the last group, and weights count those from 120 on together. The network sees
    (age - 50) / 10, as with the built-in faces, so that settings which fit these fit here.

    Attributes:
        manifest_name: The CSV file in the root, with the columns age, path and split.
        folder_name: What the root may also be the folder around.

    Source: Yang et al. 2021.

    Differences from the source: the published network sees the age itself.
    """

    manifest_name: ClassVar[str]
    folder_name: ClassVar[str]

    def __init__(self, config: PhotosConfig) -> None:
        super().__init__(config)
        folders = [Path(config.root), Path(config.root) / self.folder_name]
        found = [folder for folder in folders if (folder / self.manifest_name).is_file()]
        if not found:
            raise DataError(
                f"data.root: must be a folder that holds {self.manifest_name}, got {config.root} "
                f"(nor is it in {self.folder_name}/)"
            )
        self.folder = found[0]
        self.manifest = read_manifest(self.folder / self.manifest_name, COLUMNS)

    @property
    def targets(self) -> Targets:
        """Years, in bins of one."""
        return Targets(low=0, high=100, bin_width=1, unit="years", center=50, scale=10, weights_high=121)

    @property
    def shots(self) -> ShotSplit:
        """Ages with more than 100 training pictures are many-shot, with fewer than 20 few-shot."""
        return ShotSplit.from_train(self.labels("train"), bin_width=1, many=100, few=20)

    def labels(self, name: SplitName) -> np.ndarray:
        """The ages of a split; no picture is read."""
        return self.manifest.y[self.manifest.of_split(name)]

    def rows(self, split: SplitName) -> Rows:
        """The pictures of a split, in the manifest's order."""
        return self.manifest.rows(self.manifest.of_split(split), self.folder)
