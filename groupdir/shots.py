"""Errors by how many training samples a label has: many, a median number, or few. No torch here."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from groupdir.bins import Values, as_array, bin_index, bins_between, finite_labels

SHOTS = ("many", "median", "few")
"""The shots in the order of their codes: 0 is many, 1 is median, 2 is few."""

METRICS = ("mae", "gm", "mse", "bmae", "pearson")
"""The metrics of `shot_metrics`, each for "all" and for every shot."""

STSB_SHOTS: Mapping[str, tuple[int, ...]] = {
    "many": (0, *range(10, 49, 2), 49),
    "median": (2, 4, 6, 8, 27, 35, 37),
    "few": (1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 29, 31, 33, 39, 41, 43, 45, 47),
}
"""Published shots of STS-B-DIR over bins of 0.1 (Yang et al. 2021); they do not follow the rule of 100 and 20."""

_SMALLEST_ERROR = 1e-10


@dataclass(frozen=True)
class ShotSplit:
    """Which labels are many-, median- and few-shot, as lists of label bins.

    Bin k holds the labels from `low + k * bin_width` up to the next edge. Bins in no list are few-shot, as labels that
    were never trained on are.

    Attributes:
        many: Bins with many training samples, ascending.
        median: Bins with a median number of them.
        few: Bins with few that are known; of information only.
        bin_width: Width of a bin, in label units.
        low: Lower edge of bin 0.
        high: Labels outside [low, high) are counted in the first and last bin. None: bins go on at both ends.

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
            object.__setattr__(self, name, tuple(sorted({int(k) for k in getattr(self, name)})))
        listed = [*self.many, *self.median, *self.few]
        twice = sorted({k for k in listed if listed.count(k) > 1}) if len(set(listed)) < len(listed) else []
        if twice:
            raise ValueError(f"a bin must be in one of many, median and few, got these in several: {twice}")

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
        """Shots by the number of training samples in each bin.

        Args:
            train_y: Training labels `(N,)`, in label units.
            bin_width: > 0, in label units.
            many: Bins with more samples than this are many-shot.
            few: Bins with fewer samples than this, none included, are few-shot; the rest is median.
            low: Lower edge of bin 0.
            high: None, or the end of the last bin; then labels outside are counted in the first and last.

        Raises:
            ValueError: On labels that are NaN or infinite, few > many + 1, or a range or width that is not one.

        Source: Yang et al. 2021, `shot_metrics` (more than 100, fewer than 20, at bins of one year).
        """
        if few > many + 1:
            raise ValueError(f"few <= many + 1 must hold, or a bin would be both, got many={many}, few={few}")
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
        """Shots given as lists of bins, such as the published ones of STS-B.

        Args:
            shots: The three lists as one mapping, such as `STSB_SHOTS`; or None.
            many: Many-shot bins.
            median: Median-shot bins.
            few: Few-shot bins; so are all that are not listed.
            bin_width: > 0, in label units.
            low: Lower edge of bin 0.
            high: The end of the last bin, or None.

        Raises:
            ValueError: On a bin in several lists, an unknown name in the mapping, lists given twice.

        Example:
            >>> ShotSplit.fixed(STSB_SHOTS).of(np.array([0.05, 2.7, 5.0], dtype=np.float32)).tolist()
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
        """The bin of each label, `(N,)`.

        Raises:
            ValueError: On labels that are NaN or infinite.
        """
        bins = None if self.high is None else bins_between(self.low, self.high, self.bin_width)
        return bin_index(y, self.low, self.bin_width, bins)

    def of(self, y: Values) -> npt.NDArray[np.int8]:
        """The shot of each label, `(N,)`: indices into `SHOTS`.

        Raises:
            ValueError: On labels that are NaN or infinite.
        """
        bins = self.bins_of(y)
        codes = np.full(bins.shape, SHOTS.index("few"), dtype=np.int8)
        codes[np.isin(bins, self.median)] = SHOTS.index("median")
        codes[np.isin(bins, self.many)] = SHOTS.index("many")
        return codes

    def to_dict(self) -> dict[str, Any]:
        """A mapping of JSON's types that `from_dict` reads."""
        lists = {name: list(getattr(self, name)) for name in SHOTS}
        return {**lists, "bin_width": self.bin_width, "low": self.low, "high": self.high}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ShotSplit:
        """The split that `to_dict` wrote.

        Raises:
            ValueError: On missing or unknown keys, and on what the split itself refuses.
        """
        keys = {*SHOTS, "bin_width", "low", "high"}
        if set(data) != keys:
            raise ValueError(f"the keys must be {', '.join(sorted(keys))}, got {', '.join(sorted(map(str, data)))}")
        return cls(**{**data, **{name: tuple(data[name]) for name in SHOTS}})


def shot_metrics(pred: Values, y: Values, shots: ShotSplit, *, raw_gm: bool = False) -> dict[str, float]:
    """Metrics of all samples and of each shot.

    With the errors e = pred - y of a shot's samples: `mae` mean |e|; `gm` exp(mean log |e|); `mse` mean e^2; `bmae` the
    mean over distinct labels of each label's mean |e|, so that every label counts alike; `pearson` the correlation of
    pred and y, from -1 to 1 (the papers print 100 times it). Sums are in float64.

    Args:
        pred: Predictions `(N,)`, in label units. One that is NaN makes the metrics of its shots NaN.
        y: True labels `(N,)`.
        shots: Which labels belong to which shot.
        raw_gm: False raises |e| to at least 1e-10 in `gm`; True leaves it, so that one exact prediction makes it 0.

    Returns:
        20 floats: `mae_all`, `mae_many`, `mae_median`, `mae_few`, and so on for `gm`, `mse`, `bmae`, `pearson`. NaN for
        a shot without samples; `pearson` also for fewer than two samples or a constant.

    Raises:
        ValueError: On shapes that differ or are not (N,), and labels that are NaN or infinite.

    Source: Yang et al. 2021, `shot_metrics`; Ren et al. 2022 for `bmae`.

    Differences from the source: the published vision code gives GM 0 for one exact prediction, fails on an empty shot
    and sums in float32.

    Example:
        >>> shots = ShotSplit.from_train([1.0] * 101)
        >>> metrics = shot_metrics([1.0, 4.0], [2.0, 2.0], shots)
        >>> metrics["mae_few"], metrics["mse_all"], metrics["mae_many"]
        (1.5, 2.5, nan)
    """
    predicted, truth = as_array(pred), finite_labels(y)
    if predicted.ndim != 1 or predicted.shape != truth.shape:
        raise ValueError(f"pred and y must have one shape (N,), got {predicted.shape} and {truth.shape}")
    if predicted.dtype.kind not in "iubf":
        raise ValueError(f"pred must hold real numbers, got an array of {predicted.dtype}")
    codes = shots.of(truth)
    pred64, true64 = predicted.astype(np.float64), truth.astype(np.float64)
    members = {"all": np.ones(len(codes), dtype=bool)} | {name: codes == code for code, name in enumerate(SHOTS)}
    by_shot = {name: _metrics(pred64[here], true64[here], raw_gm) for name, here in members.items()}
    return {f"{metric}_{name}": values[metric] for metric in METRICS for name, values in by_shot.items()}


def _metrics(pred: npt.NDArray[np.float64], y: npt.NDArray[np.float64], raw_gm: bool) -> dict[str, float]:
    if not len(y):
        return dict.fromkeys(METRICS, math.nan)
    error = np.abs(pred - y)
    _, label = np.unique(y, return_inverse=True)
    with np.errstate(divide="ignore", over="ignore"):  # log 0 is meant with raw_gm; an infinite prediction has mse inf
        log_error = np.log(error if raw_gm else np.maximum(error, _SMALLEST_ERROR))
        return {
            "mae": float(error.mean()),
            "gm": float(np.exp(log_error.mean())),
            "mse": float(np.square(error).mean()),
            "bmae": float((np.bincount(label, error) / np.bincount(label)).mean()),
            "pearson": _pearson(pred, y),
        }


def _pearson(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    """Correlation of two samples `(N,)`; NaN where it is not defined."""
    if len(a) < 2 or not np.isfinite(a).all() or np.ptp(a) == 0 or np.ptp(b) == 0:
        return math.nan
    a, b = (a - a.mean()) / np.ptp(a), (b - b.mean()) / np.ptp(b)  # scaled: no square under- or overflows
    return float(np.clip(a @ b / math.sqrt((a @ a) * (b @ b)), -1, 1))
