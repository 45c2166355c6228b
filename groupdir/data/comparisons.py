"""Comparisons of the samples of two splits: equal keys, nearly equal rows of numbers, nearly equal pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from groupdir.data.split_names import SplitName

NEAR_ROWS = 0.001
"""Largest difference of two nearly equal numbers of a table, as a share of the column's standard deviation."""

NEAR_PICTURES = 0.99
"""Lowest correlation of the grey thumbnails of two nearly equal pictures."""

THUMBNAIL = 16
"""Height and width of a thumbnail, in pixels."""

_FLAT = 2.0  # grey levels; a thumbnail with a smaller standard deviation has no pattern to compare
_PICTURES, _BLOCK = 64, 1024  # pictures that are shrunk at once, and thumbnails that are compared at once
_APART = 10.0  # distance between different categories, in standard deviations of the numbers

Matches = npt.NDArray[np.int64]
"""(N,) for each sample of a split the index of a matching sample of another split, or -1."""


class Comparison(Protocol):
    """Comparison of the samples of two splits."""

    @property
    def name(self) -> str:
        """Property that matching samples share, such as "the same person"."""

    def matches(self, first: SplitName, second: SplitName) -> Matches:
        """Return for each sample of the first split a matching sample of the second.

        Raises:
            DataError: If the samples cannot be read.
        """


@dataclass(frozen=True)
class SharedKeys:
    """Comparison that matches samples with a common key.

    Attributes:
        name: Property that matching samples share.
        keys: Function that returns the keys of each sample of a split. A sample without keys matches none.
    """

    name: str
    keys: Callable[[SplitName], Sequence[Iterable[Hashable]]]

    def matches(self, first: SplitName, second: SplitName) -> Matches:
        """Return for each sample of the first split the first sample of the second that has one of its keys."""
        index: dict[Hashable, int] = {}
        for number, keys in enumerate(self.keys(second)):
            for key in keys:
                index.setdefault(key, number)
        of_sample = [next((index[key] for key in keys if key in index), -1) for keys in self.keys(first)]
        return np.array(of_sample, dtype=np.int64)


@dataclass(frozen=True)
class NearRows:
    """Comparison that matches rows of equal categories and numbers that differ by at most `NEAR_ROWS`.

    Attributes:
        rows: Function that returns numbers (N, D) of a split, in standard deviations, and N categories.
        name: Property that matching samples share.
    """

    rows: Callable[[SplitName], tuple[npt.NDArray[np.float64], Sequence[Hashable]]]
    name: str = f"numbers within {NEAR_ROWS} standard deviations"

    def matches(self, first: SplitName, second: SplitName) -> Matches:
        """Return for each row of the first split the nearest row of the second, if it is near enough."""
        from scipy.spatial import KDTree

        code: dict[Hashable, int] = {}

        def points(split: SplitName) -> npt.NDArray[np.float64]:
            numbers, categories = self.rows(split)
            codes = np.array([code.setdefault(category, len(code)) for category in categories], dtype=np.float64)
            return np.column_stack([numbers, codes * _APART])

        first_points, second_points = points(first), points(second)
        _, index = KDTree(second_points).query(first_points, p=np.inf, distance_upper_bound=NEAR_ROWS * (1 + 1e-9))
        matching: Matches = np.where(index < len(second_points), index, -1).astype(np.int64)
        return matching


@dataclass(frozen=True)
class NearPictures:
    """Comparison that matches pictures whose grey thumbnails correlate by at least `NEAR_PICTURES`.

    A copy that was compressed again, resized, brightened or made grey still matches. One that was cropped by more than
    a few percent, mirrored or turned does not. Pictures without a pattern, such as a white page, match none.

    Attributes:
        thumbnails: Function that returns the result of `unit_thumbnails` for the N samples of a split. A sample whose
            row is 0 matches none.
        name: Property that matching samples share.
    """

    thumbnails: Callable[[SplitName], npt.NDArray[np.float32]]
    name: str = f"nearly equal pictures (r >= {NEAR_PICTURES})"
    _known: dict[SplitName, npt.NDArray[np.float32]] = field(default_factory=dict, repr=False, compare=False)

    def matches(self, first: SplitName, second: SplitName) -> Matches:
        """Return for each picture of the first split the most similar one of the second, if it is similar enough."""
        import torch  # here, because `groupdir check` reads labels without torch

        first_thumbnails, second_thumbnails = (torch.from_numpy(self._of(split)) for split in (first, second))
        matching = torch.full((len(first_thumbnails),), -1)
        for start in range(0, len(first_thumbnails), _BLOCK):
            block = first_thumbnails[start : start + _BLOCK]
            best = torch.full((len(block),), NEAR_PICTURES)
            for offset in range(0, len(second_thumbnails), _BLOCK):
                value, index = (block @ second_thumbnails[offset : offset + _BLOCK].T).max(dim=1)
                better = value >= best
                matching[start : start + _BLOCK][better] = index[better] + offset
                best = torch.maximum(best, value)
        matches: Matches = matching.numpy()
        return matches

    def _of(self, split: SplitName) -> npt.NDArray[np.float32]:
        if split not in self._known:
            self._known[split] = self.thumbnails(split)
        return self._known[split]


def unit_thumbnails(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return grey thumbnails `(N, 256)` float32 with mean 0 and length 1, so that a product is a correlation.

    Pictures without a pattern have zeros.

    Args:
        pictures: Pictures `(N, H, W, 3)` uint8, which may be a mapped file. Few of them are in memory at a time.
    """
    import torch  # here, because `groupdir check` reads labels without torch
    from torch.nn import functional as F

    units = np.zeros((len(pictures), THUMBNAIL**2), dtype=np.float32)
    for start in range(0, len(pictures), _PICTURES):
        colours = torch.from_numpy(np.array(pictures[start : start + _PICTURES]))
        grey = colours.float() @ torch.tensor([0.299, 0.587, 0.114])
        small = F.adaptive_avg_pool2d(grey, THUMBNAIL).flatten(1)
        small -= small.mean(dim=1, keepdim=True)
        flat = small.std(dim=1, keepdim=True) < _FLAT
        unit = (small / small.norm(dim=1, keepdim=True).clamp(min=1e-12)).masked_fill(flat, 0.0)
        units[start : start + len(unit)] = unit.numpy()
    return units


def array_keys(arrays: Sequence[np.ndarray]) -> list[tuple[bytes]]:
    """Return one key for each of N samples: a hash of its rows in all arrays. Equal samples have equal keys."""
    keys = []
    for rows in zip(*arrays, strict=True):
        digest = hashlib.blake2b(digest_size=16)
        for row in rows:
            digest.update(np.ascontiguousarray(row).tobytes())
        keys.append((digest.digest(),))
    return keys
