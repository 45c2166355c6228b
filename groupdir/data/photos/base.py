"""Base of data sets of photographs: decoded once per node, mapped by every process, converted to floats per batch."""

from __future__ import annotations

import os
import warnings
from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import numpy as np
import numpy.typing as npt

from groupdir.config.datasets import CACHE_FOLDER, CACHE_VARIABLE, PhotosConfig
from groupdir.data.base import Dataset, Inputs, InputSpec, Split, SplitName
from groupdir.data.comparisons import Comparison, NearPictures, SharedKeys, array_keys, unit_thumbnails
from groupdir.data.decode import AS_PUBLISHED, Decoding, decode_all
from groupdir.data.manifest import Rows
from groupdir.data.photos.cache import Cached, open_or_build
from groupdir.data.photos.draws import DRAWS
from groupdir.data.photos.problems import broken_text, first_lines, remark_texts
from groupdir.errors import DataError, EmptySplitError

if TYPE_CHECKING:
    import torch

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
        DataError: If pictures of any split cannot be decoded, which lists all of them, or cannot be cached.
    """

    config: PhotosConfig
    augments = True
    on_each_node = True
    draws: ClassVar[int] = DRAWS
    decoding: Decoding = AS_PUBLISHED

    def __init__(self, config: PhotosConfig) -> None:
        super().__init__(config)
        self.augment_one_view = config.augment != "none"
        self._cached: dict[SplitName, Cached] = {}
        self._checked = False  # whether the pictures of all splits were decoded

    @abstractmethod
    def rows(self, split: SplitName) -> Rows:
        """Return the files and labels of a split."""

    @property
    def inputs(self) -> InputSpec:
        """Colour pictures, about -1..1."""
        mean, std = NORMALIZE[self.config.normalize]
        shape = (3, self.config.size, self.config.size)
        return InputSpec("image", shape, mean=mean, std=std, **asdict(self.decoding))

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
        """Read the rows of a split. Decode its pictures unless a process of this node has done so before.

        The first call decodes the pictures of all splits, so that those that cannot be used are reported at once and
        not after a search. Pickled instances do not repeat this.
        """
        rows = self.rows(split)
        if not rows.files:
            raise EmptySplitError(f"{rows.manifest}: must have rows of split {split}, got none")
        if not self._checked:
            self._open_all()
        cached = self._cached.get(split)
        if cached is None or not cached.is_there():
            cached = self._cached[split] = self._open(rows)
        return Split((cached.pictures(),), rows.y[cached.kept])

    def _open(self, rows: Rows) -> Cached:
        return open_or_build(rows, self.config.size, self.cache_folder, self.decoding)

    def _open_all(self) -> None:
        """Decode the pictures of all splits that have rows. Refuse broken ones or warn of them, as configured.

        Raises:
            DataError: If pictures are missing or, unless they are skipped, broken, or a split has no other pictures.
        """
        caches = [(split, rows, self._open(rows)) for split, rows in self._all_rows().items()]
        if any(cached.broken for _, _, cached in caches):
            problem = broken_text(caches)
            if self.config.broken == "refuse":
                raise DataError(f"{problem}\nreplace or remove these pictures, or set data.broken to skip")
            if empty := [split for split, _, cached in caches if not cached.shape[0]]:
                raise DataError(f"{problem}\nno other picture is in split {', '.join(empty)}")
            warnings.warn(f"{problem}\nthese pictures are skipped", stacklevel=4)
        for text in remark_texts(caches):
            warnings.warn(text, stacklevel=4)
        self._cached = {split: cached for split, _, cached in caches}
        self._checked = True

    def _all_rows(self) -> dict[SplitName, Rows]:
        """Return the rows of each split that has some.

        Raises:
            DataError: With the mistakes of all splits.
        """
        of_split: dict[SplitName, Rows] = {}
        mistakes = []
        for split in get_args(SplitName):
            try:
                rows = self.rows(split)
            except EmptySplitError:
                continue
            except DataError as error:
                mistakes.append(str(error))
            else:
                of_split |= {split: rows} if rows.files else {}
        if mistakes:
            raise DataError("\n".join(mistakes))
        return of_split

    def comparisons(self) -> Sequence[Comparison]:
        """Return comparisons of the decoded pictures. Skipped pictures match none."""
        return [SharedKeys("the same pixels", self._pixel_keys), NearPictures(self._thumbnails)]

    def sample_name(self, name: SplitName, index: int) -> str:
        """Return the place of a picture in the manifest and its file."""
        rows = self.rows(name)
        return f"{rows.place(index)} {rows.files[index].name}"

    def _pixel_keys(self, split: SplitName) -> list[tuple[bytes, ...]]:
        keys = array_keys(self.split(split).inputs)
        of_row: list[tuple[bytes, ...]] = [()] * self._cached[split].rows
        for row, key in zip(self._cached[split].kept.tolist(), keys, strict=True):
            of_row[row] = key
        return of_row

    def _thumbnails(self, split: SplitName) -> npt.NDArray[np.float32]:
        units = unit_thumbnails(self.split(split).inputs[0])
        of_row = np.zeros((self._cached[split].rows, units.shape[1]), dtype=np.float32)
        of_row[self._cached[split].kept] = units
        return of_row

    def augment(self, inputs: Inputs, generator: torch.Generator) -> Inputs:
        """Return one of two random views, with random numbers from the generator."""
        import torch

        draws = torch.rand(len(inputs[0]), DRAWS, generator=generator).to(inputs[0].device)
        return self.view(inputs, draws, views=2)

    def view(self, inputs: Inputs, draws: torch.Tensor, views: int) -> Inputs:
        """Crop, flip and colour pictures as configured, and return floats for the encoder."""
        from groupdir.data.photos.augment import augmented

        kind = self.config.augment if views == 1 else self.config.augment_views
        if kind == "none":
            return self.present(inputs, self.inputs)
        return (augmented(inputs[0], draws, kind, *NORMALIZE[self.config.normalize]),)

    @classmethod
    def present(cls, inputs: Inputs, spec: InputSpec) -> Inputs:
        """Convert bytes `(B, H, W, 3)` to floats `(B, 3, H, W)`, standardised by the mean and std of the spec."""
        from groupdir.data.photos.augment import standardized

        assert spec.mean is not None
        assert spec.std is not None
        return (standardized(inputs[0], spec.mean, spec.std),)

    @classmethod
    def read_inputs(cls, path: Path, spec: InputSpec) -> tuple[tuple[np.ndarray, ...], Sequence[Any]]:
        """Read a picture, or the pictures of a folder in the order of their names. An error lists all broken ones."""
        from groupdir.data.pictures import picture_files

        files = picture_files(path)
        pictures = np.empty((len(files), *spec.shape[1:], 3), np.uint8)
        broken, remarks = [], Counter[str]()
        for index, picture in enumerate(decode_all(files, spec.shape[-1], Decoding(spec.orient, spec.background))):
            if isinstance(picture, str):
                broken.append(f"{files[index]}: {picture}")
            else:
                pictures[index] = picture.pixels
                remarks.update(picture.remarks)
        if broken:
            advice = "\nreplace these pictures, or move them out of the folder" if path.is_dir() else ""
            raise DataError(f"{first_lines(broken)}{advice}")
        for remark, count in remarks.items():
            warnings.warn(f"{path}: {count} of {len(files)} pictures {remark}", stacklevel=2)
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
