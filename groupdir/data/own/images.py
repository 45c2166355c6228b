"""Data set of your own pictures: a manifest lists each picture and the number to predict."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from groupdir.config.datasets import ImagesConfig
from groupdir.data.base import SplitName, Targets
from groupdir.data.comparisons import Comparison
from groupdir.data.decode import Decoding
from groupdir.data.manifest import Names, Rows, read_manifest
from groupdir.data.own.labels import OwnLabels
from groupdir.data.photos.base import Photos
from groupdir.metrics import ShotSplit


class Images(Photos):
    """Data set of your own pictures.

    A CSV or Parquet file lists the file and the label of each picture, and optionally its split. See
    docs/your_own_data.md.
    """

    Config = ImagesConfig
    config: ImagesConfig

    def __init__(self, config: ImagesConfig) -> None:
        super().__init__(config)
        self.decoding = Decoding(config.orient, config.background)
        names = Names(config.target, config.path, config.split)
        self.manifest = read_manifest(config.manifest_path, names)
        self.own = OwnLabels.of(self.manifest, self.manifest.files, config)

    @property
    def targets(self) -> Targets:
        """Meaning of the labels, from the YAML and the training labels."""
        return self.own.targets

    @property
    def shots(self) -> ShotSplit:
        """Shots by the number of training pictures in each label bin."""
        return self.own.shots

    def labels(self, name: SplitName) -> np.ndarray:
        """Return the labels of a split without reading pictures."""
        return self.manifest.y[self.own.where(name)]

    def warnings(self) -> Sequence[str]:
        """Return warnings about labels that are probably marks of missing values."""
        return self.own.marks

    def comparisons(self) -> Sequence[Comparison]:
        """Return the comparison of the groups, if the YAML names their column, and those of the pictures."""
        return [*self.own.comparisons(), *super().comparisons()]

    def rows(self, split: SplitName) -> Rows:
        """Return the pictures of a split, in the order of the manifest."""
        return self.manifest.rows(self.own.where(split), Path(self.config.root))
