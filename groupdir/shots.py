"""Shots: classes of labels by their number of training samples. Only this file lists them. It does not import torch."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # functions import numpy, because `--help` reads the names of the shots
    import numpy as np
    import numpy.typing as npt

    from groupdir.bins import Values

SHOTS = ("many", "median", "few")
"""The shots in the order of their codes: 0 is many, 1 is median, 2 is few."""

ALL = "all"
"""Name for all samples, in places where a shot can be named."""

ALL_AND_SHOTS = (ALL, *SHOTS)
"""All samples, then each shot, in the order of columns."""

UNSEEN = "few"
"""Shot of labels that do not occur in training."""

STSB_SHOTS: Mapping[str, tuple[int, ...]] = {
    "many": (0, *range(10, 49, 2), 49),
    "median": (2, 4, 6, 8, 27, 35, 37),
    "few": (1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 29, 31, 33, 39, 41, 43, 45, 47),
}
"""Published shots of STS-B-DIR over bins of 0.1 (Yang et al. 2021), which do not follow the rule of 100 and 20."""


@dataclass(frozen=True)
class ShotSplit:
    """Lists of the label bins that are many-, median- and few-shot.

    Bin k holds the labels from `low + k * bin_width` up to the next edge. Unlisted bins are few-shot,
    because no training sample has such a label.

    Attributes:
        many: Bins with many training samples, ascending.
        median: Bins with a median number of training samples, ascending.
        few: Bins with few training samples, ascending. This list is only informative.
        bin_width: Width of a bin, in label units.
        low: Lower edge of bin 0.
        high: Upper end of the last bin; labels outside [low, high) are counted in the first and the last bin. None:
            the bins continue at both ends.

    Example:
        >>> shots = ShotSplit.from_train([20] * 101 + [21] * 50 + [22])
        >>> [SHOTS[code] for code in shots.of([20, 21, 22, 23])]
        ['many', 'median', 'few', 'few']
    """

    many: tuple[int, ...]
    median: tuple[int, ...]
    few: tuple[int, ...]
    bin_width: float = 1.0
    low: float = 0.0
    high: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.bin_width < math.inf:
            raise ValueError(f"bin_width must be > 0 and finite, got {self.bin_width}")
        if not math.isfinite(self.low) or (self.high is not None and not self.low < self.high < math.inf):
            raise ValueError(f"low < high must hold, both finite, got low={self.low}, high={self.high}")
        for name in SHOTS:
            object.__setattr__(self, name, tuple(sorted({int(k) for k in self.bins_in(name)})))
        listed = [k for name in SHOTS for k in self.bins_in(name)]
        twice = sorted({k for k in listed if listed.count(k) > 1}) if len(set(listed)) < len(listed) else []
        if twice:
            raise ValueError(f"a bin must be in one of {', '.join(SHOTS)}, got these in several: {twice}")

    @classmethod
    def from_train(
        cls,
        train_y: Values,
        bin_width: float = 1,
        many: int = 100,
        few: int = 20,
        low: float = 0.0,
        high: float | None = None,
    ) -> ShotSplit:
        """Return the shots that follow from the number of training samples in each bin.

        Args:
            train_y: Training labels `(N,)`, in label units.
            bin_width: Width of a bin, > 0, in label units.
            many: Threshold: bins with more samples are many-shot.
            few: Threshold: bins with fewer samples, including empty bins, are few-shot. The other bins are median-shot.
            low: Lower edge of bin 0.
            high: Upper end of the last bin, as in the class, or None.

        Raises:
            ValueError: On labels that are NaN or infinite, few > many + 1, or an invalid range or width.

        Source: Yang et al. 2021, `shot_metrics` (more than 100, fewer than 20, with bins of one year).
        """
        import numpy as np

        if few > many + 1:
            raise ValueError(f"few <= many + 1 must hold, or a bin could be both, got many={many}, few={few}")
        grid = cls((), (), (), float(bin_width), float(low), None if high is None else float(high))
        bins, counts = np.unique(grid.bins_of(train_y), return_counts=True)
        is_many, is_few = counts > many, counts < few
        return cls(
            tuple(bins[is_many].tolist()),
            tuple(bins[~is_many & ~is_few].tolist()),
            tuple(bins[is_few].tolist()),
            grid.bin_width,
            grid.low,
            grid.high,
        )

    @classmethod
    def fixed(
        cls,
        shots: Mapping[str, Collection[int]] | None = None,
        *,
        many: Collection[int] = (),
        median: Collection[int] = (),
        few: Collection[int] = (),
        bin_width: float = 0.1,
        low: float = 0.0,
        high: float | None = 5.0,
    ) -> ShotSplit:
        """Return shots given as lists of bins, such as the published ones of STS-B.

        Args:
            shots: The three lists as one mapping, such as `STSB_SHOTS`; or None.
            many: Many-shot bins.
            median: Median-shot bins.
            few: Few-shot bins. Unlisted bins are few-shot too.
            bin_width: Width of a bin, > 0, in label units.
            low: Lower edge of bin 0.
            high: Upper end of the last bin, as in the class, or None.

        Raises:
            ValueError: On a bin in several lists, an unknown name in the mapping, or both a mapping and lists.

        Example:
            >>> ShotSplit.fixed(STSB_SHOTS).of([0.05, 2.7, 5.0]).tolist()
            [0, 1, 0]
        """
        if shots is None:
            shots = {"many": many, "median": median, "few": few}
        elif many or median or few:
            raise ValueError("bins must be given as one mapping or as lists, got both")
        unknown = sorted(set(shots) - set(SHOTS))
        if unknown:
            raise ValueError(f"shots must be named {', '.join(SHOTS)}, got {', '.join(map(repr, unknown))}")
        lists = {name: tuple(shots.get(name, ())) for name in SHOTS}
        return cls(**lists, bin_width=float(bin_width), low=float(low), high=None if high is None else float(high))

    def bins_of(self, y: Values) -> npt.NDArray[np.int64]:
        """Return the bin of each label, `(N,)`.

        Raises:
            ValueError: On labels that are NaN or infinite.
        """
        from groupdir.bins import bin_index, bins_between

        bins = None if self.high is None else bins_between(self.low, self.high, self.bin_width)
        return bin_index(y, self.low, self.bin_width, bins)

    def of(self, y: Values) -> npt.NDArray[np.int8]:
        """Return the shot of each label, `(N,)`: indices into `SHOTS`.

        Raises:
            ValueError: On labels that are NaN or infinite.
        """
        return self.of_bins(self.bins_of(y))

    def of_bins(self, bins: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
        """Return the shot of each label bin, in the shape of `bins`: indices into `SHOTS`."""
        import numpy as np

        codes = np.full(bins.shape, SHOTS.index(UNSEEN), dtype=np.int8)
        for code, name in enumerate(SHOTS):
            codes[np.isin(bins, self.bins_in(name))] = code
        return codes

    def bins_in(self, shot: str) -> tuple[int, ...]:
        """Return the label bins that are listed for a shot."""
        bins: tuple[int, ...] = getattr(self, shot)
        return bins

    def to_dict(self) -> dict[str, Any]:
        """Return a mapping of JSON types that `from_dict` reads."""
        lists = {name: list(self.bins_in(name)) for name in SHOTS}
        return {**lists, "bin_width": self.bin_width, "low": self.low, "high": self.high}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ShotSplit:
        """Return the split that `to_dict` wrote.

        Raises:
            ValueError: On missing or unknown keys, or invalid values.
        """
        keys = {*SHOTS, "bin_width", "low", "high"}
        if set(data) != keys:
            raise ValueError(f"the keys must be {', '.join(sorted(keys))}, got {', '.join(sorted(map(str, data)))}")
        return cls(**{**data, **{name: tuple(data[name]) for name in SHOTS}})
