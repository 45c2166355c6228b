"""Base of data sets of photographs: decoded once per node, mapped by every process, converted to floats per batch."""

from __future__ import annotations

import os
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from groupdir.config.datasets import CACHE_FOLDER, CACHE_VARIABLE, PhotosConfig
from groupdir.data.base import Dataset, Inputs, InputSpec, Split, SplitName
from groupdir.data.manifest import Rows
from groupdir.data.photos.augment import DRAWS, augmented, standardized
from groupdir.data.photos.cache import Cached, open_or_build
from groupdir.data.photos.decode import decode_all
from groupdir.data.pictures import SUFFIXES
from groupdir.errors import DataError

SHOWN = 20
"""Largest number of broken pictures that a message lists. The others are only counted."""

NORMALIZE: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Mean and standard deviation of the channels; "half" is the published recipe."""


class Photos(Dataset):
    """Data set of colour pictures from files. Subclasses define `rows`, `targets` and `shots`.

    Splits hold bytes `(N, size, size, 3)`, mapped from a file that the first process of a node writes
    (`groupdir.data.photos.cache`). A pickled instance contains the name of this file instead of the pictures.
    Unpickling maps the file. On a machine that lacks the file, `split` builds it.

    Raises:
        DataError: If pictures of a split cannot be decoded, which lists all of them, or cannot be cached.
    """

    config: PhotosConfig
    augments = True
    on_each_node = True
    draws: ClassVar[int] = DRAWS

    def __init__(self, config: PhotosConfig) -> None:
        super().__init__(config)
        self.augment_one_view = config.augment != "none"
        self._cached: dict[str, Cached] = {}

    @abstractmethod
    def rows(self, split: SplitName) -> Rows:
        """Return the files and labels of a split."""

    @property
    def inputs(self) -> InputSpec:
        """Colour pictures, about -1..1."""
        mean, std = NORMALIZE[self.config.normalize]
        return InputSpec("image", (3, self.config.size, self.config.size), mean=mean, std=std)

    @property
    def cache_folder(self) -> Path:
        """Folder of the decoded pictures. A local disk of the node is best."""
        named = self.config.cache or os.environ.get(CACHE_VARIABLE)
        return Path(named).expanduser() if named else Path(self.config.root) / CACHE_FOLDER

    def files(self) -> Sequence[Path]:
        """Return the manifest and the pictures."""
        splits = [self.rows("train"), self.rows("val")]
        return [splits[0].manifest, *(file for rows in splits for file in rows.files)]

    def build(self, split: SplitName) -> Split:
        """Read the rows of a split. Decode its pictures unless a process of this node has done so before."""
        rows = self.rows(split)
        if not rows.files:
            raise DataError(f"{rows.manifest}: must have rows of split {split}, got none")
        cached = open_or_build(rows, self.config.size, self.cache_folder)
        if cached.broken:
            problem = _broken(rows, cached)
            if self.config.broken == "refuse":
                raise DataError(f"{problem}\nreplace or remove these pictures, or set data.broken to skip")
            if not cached.shape[0]:
                raise DataError(problem)
            warnings.warn(f"{problem}\nthese pictures are skipped", stacklevel=2)
        kept = np.delete(np.arange(len(rows.files)), [index for index, _ in cached.broken])
        self._cached[split] = cached
        return Split((cached.pictures(),), rows.y[kept])

    def augment(self, inputs: Inputs, generator: torch.Generator) -> Inputs:
        """Return one of two random views, with random numbers from the generator."""
        draws = torch.rand(len(inputs[0]), DRAWS, generator=generator).to(inputs[0].device)
        return self.view(inputs, draws, views=2)

    def view(self, inputs: Inputs, draws: torch.Tensor, views: int) -> Inputs:
        """Crop, flip and colour pictures as configured, and return floats for the encoder."""
        kind = self.config.augment if views == 1 else self.config.augment_views
        if kind == "none":
            return self.present(inputs, self.inputs)
        return (augmented(inputs[0], draws, kind, *NORMALIZE[self.config.normalize]),)

    @classmethod
    def present(cls, inputs: Inputs, spec: InputSpec) -> Inputs:
        """Convert bytes `(B, H, W, 3)` to floats `(B, 3, H, W)`, standardised by the mean and std of the spec."""
        assert spec.mean is not None
        assert spec.std is not None
        return (standardized(inputs[0], spec.mean, spec.std),)

    @classmethod
    def read_inputs(cls, path: Path, spec: InputSpec) -> tuple[tuple[np.ndarray, ...], Sequence[Any]]:
        """Read a picture, or the pictures of a folder in the order of their names. An error lists all broken ones."""
        files = [path]
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
            if not files:
                raise DataError(f"{path}: must hold pictures ({', '.join(SUFFIXES)}), got none")
        pictures = np.empty((len(files), *spec.shape[1:], 3), np.uint8)
        broken = []
        for index, picture in enumerate(decode_all(files, spec.shape[-1])):
            if isinstance(picture, str):
                broken.append(f"{files[index]}: {picture}")
            else:
                pictures[index] = picture
        if broken:
            raise DataError(_first(broken))
        return (pictures,), [file.name for file in files]

    def __getstate__(self) -> dict[str, Any]:
        """Return labels and file names, but not the pictures."""
        splits = {name: replace(split, inputs=()) for name, split in self._splits.items()}
        return {**self.__dict__, "_splits": splits}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map the files that this machine has. Other splits are built when they are requested."""
        self.__dict__.update(state)
        self._splits = {
            name: replace(split, inputs=(self._cached[name].pictures(),))
            for name, split in self._splits.items()
            if self._cached[name].is_there()
        }


def _broken(rows: Rows, cached: Cached) -> str:
    """Return a message that lists the pictures of a split that are missing in its cache."""
    reasons = [f"  row {rows.numbers[index]}: {rows.files[index]}: {why}" for index, why in cached.broken]
    return f"{rows.manifest}: {len(reasons)} of {len(rows.files)} pictures cannot be used:\n{_first(reasons)}"


def _first(lines: list[str]) -> str:
    more = [f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join([*lines[:SHOWN], *more])
