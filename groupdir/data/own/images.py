"""Pictures of your own, listed in a manifest: one number for each is to be predicted."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from groupdir.config.datasets import ImagesConfig
from groupdir.data.base import SplitName, Targets
from groupdir.data.manifest import Names, Rows, read_manifest
from groupdir.data.own.labels import OwnLabels
from groupdir.data.photos.base import Photos
from groupdir.metrics import ShotSplit


class Images(Photos):
    """Pictures of your own: a CSV or Parquet file names each picture's file, its number, and, if you like, its split.

    See docs/your_own_data.md.
    """

    Config = ImagesConfig
    config: ImagesConfig

    def __init__(self, config: ImagesConfig) -> None:
        super().__init__(config)
        names = Names(config.target, config.path, config.split)
        self.manifest = read_manifest(config.manifest_path, names)
        self.own = OwnLabels.of(self.manifest, self.manifest.files, config)

    @property
    def targets(self) -> Targets:
        """As the YAML says, and by the training labels."""
        return self.own.targets

    @property
    def shots(self) -> ShotSplit:
        """By the number of training pictures in each label bin."""
        return self.own.shots

    def labels(self, name: SplitName) -> np.ndarray:
        """The labels of a split; no picture is read."""
        return self.manifest.y[self.own.where(name)]

    def rows(self, split: SplitName) -> Rows:
        """The pictures of a split, in the manifest's order."""
        return self.manifest.rows(self.own.where(split), Path(self.config.root))
