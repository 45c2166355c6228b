"""Photographs in files, decoded to one size."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field

from groupdir.config import DatasetConfig
from groupdir.data.base import Dataset, InputSpec, Split, SplitName
from groupdir.data.manifest import Rows
from groupdir.errors import DataError


class PhotosConfig(DatasetConfig):
    """Options of `Photos`."""

    root: str = Field(description="The folder that paths start from.")
    size: int = Field(224, ge=1, description="Height and width, in pixels.")
    cache: str | None = None
    broken: Literal["refuse", "skip"] = "refuse"


class Photos(Dataset):
    """Photographs of the rows of a manifest."""

    config: PhotosConfig

    @abstractmethod
    def rows(self, split: SplitName) -> Rows:
        """The pictures of a split."""

    @property
    def inputs(self) -> InputSpec:
        """Colour pictures, 0..1."""
        return InputSpec("image", (3, self.config.size, self.config.size))

    def build(self, split: SplitName) -> Split:
        """Decodes one split."""
        rows = self.rows(split)
        pictures = [_decoded(file, self.config.size, rows.place(index)) for index, file in enumerate(rows.files)]
        return Split((np.stack(pictures),), rows.y)

    @classmethod
    def read_inputs(cls, path: Path, spec: InputSpec) -> tuple[tuple[np.ndarray, ...], Sequence[Any]]:
        """One picture."""
        return (_decoded(path, spec.shape[-1], str(path))[None],), [path.name]


def _decoded(file: Path, size: int, place: str) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(file) as picture:
            resized = picture.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
    except OSError as error:
        raise DataError(f"{place}: {file} cannot be read as a picture: {error}") from error
    return np.asarray(resized, dtype=np.float32).transpose(2, 0, 1) / np.float32(255)
