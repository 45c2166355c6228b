"""Photographs in files: decoded once per node, mapped by every process, floats only in the batch."""

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
"""Broken pictures that a message names; of the others it gives the number."""

NORMALIZE: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""Mean and standard deviation of the channels; "half" is the published recipe."""


class Photos(Dataset):
    """Colour pictures from files. Subclasses define `rows`, `targets` and `shots`.

    Splits hold bytes `(N, size, size, 3)`, mapped from a file that the first process of a node makes
    (`groupdir.data.photos.cache`). An instance pickles as the name of that file. Unpickling maps the file, or builds it
    again on a machine that lacks it.

    Raises:
        DataError: The pictures of a split cannot be decoded (with all of them), or not be cached.
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
        """The files and labels of one split."""

    @property
    def inputs(self) -> InputSpec:
        """Pictures in colour, about -1..1."""
        mean, std = NORMALIZE[self.config.normalize]
        return InputSpec("image", (3, self.config.size, self.config.size), mean=mean, std=std)

    @property
    def cache_folder(self) -> Path:
        """Where decoded pictures are; a disk of the node's own is best."""
        named = self.config.cache or os.environ.get(CACHE_VARIABLE)
        return Path(named).expanduser() if named else Path(self.config.root) / CACHE_FOLDER

    def files(self) -> Sequence[Path]:
        """The manifest and the pictures."""
        splits = [self.rows("train"), self.rows("val")]
        return [splits[0].manifest, *(file for rows in splits for file in rows.files)]

    def build(self, split: SplitName) -> Split:
        """Reads one split's rows, and decodes its pictures where no process of this node has done so."""
        rows = self.rows(split)
        if not rows.files:
            raise DataError(f"{rows.manifest}: holds no row of split {split}")
        cached = open_or_build(rows, self.config.size, self.cache_folder)
        if cached.broken:
            said = _broken(rows, cached)
            if self.config.broken == "refuse":
                raise DataError(f"{said}\nmend them, or set data.broken to skip")
            if not cached.shape[0]:
                raise DataError(said)
            warnings.warn(f"{said}\nthey are left out", stacklevel=2)
        kept = np.delete(np.arange(len(rows.files)), [index for index, _ in cached.broken])
        self._cached[split] = cached
        return Split((cached.pictures(),), rows.y[kept])

    def augment(self, inputs: Inputs, generator: torch.Generator) -> Inputs:
        """One of two views, by numbers that are drawn here."""
        draws = torch.rand(len(inputs[0]), DRAWS, generator=generator).to(inputs[0].device)
        return self.view(inputs, draws, views=2)

    def view(self, inputs: Inputs, draws: torch.Tensor, views: int) -> Inputs:
        """Crops, flips and colours as the configuration says; floats as the encoder is given them."""
        kind = self.config.augment if views == 1 else self.config.augment_views
        if kind == "none":
            return self.present(inputs, self.inputs)
        return (augmented(inputs[0], draws, kind, *NORMALIZE[self.config.normalize]),)

    @classmethod
    def present(cls, inputs: Inputs, spec: InputSpec) -> Inputs:
        """Bytes `(B, H, W, 3)` as floats `(B, 3, H, W)`, standardised by the spec's mean and std."""
        assert spec.mean is not None
        assert spec.std is not None
        return (standardized(inputs[0], spec.mean, spec.std),)

    @classmethod
    def read_inputs(cls, path: Path, spec: InputSpec) -> tuple[tuple[np.ndarray, ...], Sequence[Any]]:
        """A picture, or a folder of them in the order of their names; all that are broken are named at once."""
        files = [path]
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
            if not files:
                raise DataError(f"{path}: must hold pictures ({', '.join(SUFFIXES)}), got none")
        found = np.empty((len(files), *spec.shape[1:], 3), np.uint8)
        broken = []
        for index, picture in enumerate(decode_all(files, spec.shape[-1])):
            if isinstance(picture, str):
                broken.append(f"{files[index]}: {picture}")
            else:
                found[index] = picture
        if broken:
            raise DataError(_first(broken))
        return (found,), [file.name for file in files]

    def __getstate__(self) -> dict[str, Any]:
        """Labels and the names of files, not the pictures."""
        splits = {name: replace(split, inputs=()) for name, split in self._splits.items()}
        return {**self.__dict__, "_splits": splits}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Maps the files that this machine has; other splits are built again when they are asked for."""
        self.__dict__.update(state)
        self._splits = {
            name: replace(split, inputs=(self._cached[name].pictures(),))
            for name, split in self._splits.items()
            if self._cached[name].is_there()
        }


def _broken(rows: Rows, cached: Cached) -> str:
    """Which pictures of a split are not in its cache."""
    found = [f"  row {rows.numbers[index]}: {rows.files[index]}: {why}" for index, why in cached.broken]
    return f"{rows.manifest}: {len(found)} of {len(rows.files)} pictures cannot be used:\n{_first(found)}"


def _first(lines: list[str]) -> str:
    more = [f"... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join([*lines[:SHOWN], *more])
