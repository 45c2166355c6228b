"""Groups of labels, descending soft labels over groups, and sample weights for rare labels."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args, overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from groupdir.bins import as_array, decimal, finite_labels, rational_edges
from groupdir.errors import ConfigError
from groupdir.registry import resolve

Kernel = Literal["gaussian", "triangular", "laplace"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class LabelGroups:
    """Consecutive intervals of the label range, one per group.

    Group g holds the labels from `bounds[g]` up to, but not including, `bounds[g + 1]`. Labels below `low` belong to
    the first group, and labels of `high` or more to the last.

    Attributes:
        bounds: G + 1 ascending edges, in label units. Two equal edges enclose a group without labels.

    Source: Pu et al. 2025, section "Group classification".

    Differences from the source: the paper prints floor(y / |G|) but means a division by the width of a group. The
    authors' AgeDB code truncates the width to a whole number (`integer_width`), so its last group is wider.

    Example:
        >>> groups = LabelGroups.equal_width(0, 5, 25)
        >>> groups.assign(torch.tensor([0.0, 2.6, 5.0])).tolist()
        [0, 13, 24]
    """

    bounds: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.bounds) < 2 or not all(math.isfinite(edge) for edge in self.bounds):
            raise ValueError(f"bounds must be at least two finite edges, got {self.bounds}")
        if self.low >= self.high or any(
            after < before for before, after in zip(self.bounds, self.bounds[1:], strict=False)
        ):
            raise ValueError(f"bounds must ascend, got {self.bounds}")

    @classmethod
    def equal_width(cls, low: float, high: float, groups: int) -> LabelGroups:
        """Return G intervals of equal width with correctly rounded edges low + (high - low) k / G.

        Raises:
            ValueError: Unless groups >= 1 and low < high.
        """
        _check_range(low, high, groups)
        if groups != int(groups):
            raise ValueError(f"groups must be a whole number, got {groups}")
        groups = int(groups)
        width = (decimal(high) - decimal(low)) / groups
        return cls(tuple(rational_edges(decimal(low), width, np.arange(groups + 1)).tolist()))

    @classmethod
    def integer_width(cls, low: float, high: float, groups: int) -> LabelGroups:
        """Return G intervals of the whole width int((high - low) / G); the last one also takes the remainder.

        Raises:
            ValueError: Unless groups >= 1, low < high and the width is at least 1.

        Source: the authors' code for AgeDB, where 15 groups of 0..100 are 6 wide and the last starts at 84.
        """
        _check_range(low, high, groups)
        width = int((decimal(high) - decimal(low)) / groups)
        if width < 1:
            raise ValueError(f"groups must leave a width of at least 1, got {groups} of {low}..{high}; use equal_width")
        return cls((*(float(low) + width * k for k in range(groups)), float(high)))

    @classmethod
    def equal_frequency(cls, y: Tensor | Array, groups: int, low: float, high: float) -> LabelGroups:
        """Return G intervals with about equally many training labels.

        A value v belongs to group max(round(G F(v)) - 1, 0), where F(v) is the fraction of labels <= v. A value without
        training labels joins the next value below it. Groups next to a very common value are empty.

        Args:
            y: Training labels `(N,)`.
            groups: Number of groups G.
            low: Lower end of the range; labels below it count as `low`.
            high: Upper end of the range.

        Raises:
            ValueError: Unless groups >= 1, low < high and y holds at least one label, all finite.

        Source: the option `b_g` of the authors' IMDB-WIKI code, here for any values instead of whole ages.
        """
        _check_range(low, high, groups)
        labels = np.clip(finite_labels(y).ravel().astype(np.float64), low, high)
        if not labels.size:
            raise ValueError("y must hold at least one label, got none")
        value, count = np.unique(labels, return_counts=True)
        group = np.maximum(np.rint(groups * np.cumsum(count) / labels.size).astype(np.int64) - 1, 0)
        inner = [float(value[np.argmax(group >= k)]) for k in range(1, groups)]
        return cls((float(low), *inner, float(high)))

    @classmethod
    def by_rule(cls, rule: str, groups: int, low: float, high: float, y: Tensor | Array) -> LabelGroups:
        """Return G groups by the rule of a name, which is the name of a constructor.

        Raises:
            ValueError: No constructor has this name; or as that constructor does.
        """
        if rule == "equal_frequency":
            return cls.equal_frequency(y, groups, low, high)
        if rule == "integer_width":
            return cls.integer_width(low, high, groups)
        if rule != "equal_width":
            raise ValueError(f"rule must be equal_width, integer_width or equal_frequency, got {rule!r}")
        return cls.equal_width(low, high, groups)

    @property
    def groups(self) -> int:
        """Number of groups G."""
        return len(self.bounds) - 1

    @property
    def low(self) -> float:
        """Lower end of the label range."""
        return self.bounds[0]

    @property
    def high(self) -> float:
        """Upper end of the label range."""
        return self.bounds[-1]

    @property
    def edges(self) -> Tensor:
        """Edges `(G + 1,)`, float64, in label units."""
        return torch.tensor(self.bounds, dtype=torch.float64)

    @property
    def centers(self) -> Tensor:
        """Centres `(G,)` of the intervals, float64, in label units; the bias of each expert starts there."""
        return (self.edges[1:] + self.edges[:-1]) / 2

    @overload
    def assign(self, y: Tensor) -> Tensor: ...
    @overload
    def assign(self, y: Array) -> npt.NDArray[np.int64]: ...
    def assign(self, y: Tensor | Array) -> Tensor | npt.NDArray[np.int64]:
        """Return the group of each label.

        Edges are rounded to the type of the labels before the comparison, so a float32 2.6 lies on the edge 2.6.

        Args:
            y: Labels `(B,)`, a tensor or an array, in label units; whole numbers are taken as float64.

        Returns:
            `(B,)` int64 in [0, G): a tensor on the device of y if y is a tensor, else an array.

        Raises:
            ValueError: On labels that are NaN or infinite. On a GPU this check waits for the values, so assign a whole
                data set once rather than a batch in every step.
        """
        if not isinstance(y, Tensor):
            labels = finite_labels(y)
            inner = np.array(self.bounds[1:-1], dtype=np.float64).astype(labels.dtype)
            return np.searchsorted(inner, labels, side="right").astype(np.int64)
        if not y.is_floating_point():
            y = y.double()
        bad = int((~y.isfinite()).sum())
        if bad:
            raise ValueError(f"labels must be finite, got {bad} NaN or infinite among {y.numel()}")
        edges = torch.tensor(self.bounds[1:-1], dtype=torch.float64).to(y.dtype)
        if y.dtype != torch.float64:  # searchsorted takes no bfloat16 or float16; float32 holds them exactly
            y, edges = y.float(), edges.float()
        return torch.bucketize(y, edges.to(y.device), right=True)


def _check_range(low: float, high: float, groups: int) -> None:
    if groups < 1:
        raise ValueError(f"groups must be >= 1, got {groups}")
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"low < high must hold, both finite, got low={low}, high={high}")


def soft_labels(group: Tensor, groups: int, beta: float, *, dtype: torch.dtype | None = None) -> Tensor:
    """Return symmetric descending soft labels: softmax over k of -beta |k - g|.

    Args:
        group: Groups `(B,)`, whole numbers in [0, G). On a GPU a wrong value stops the program in the kernel, because
            a check here would wait for the values in every step.
        groups: Number of groups G.
        beta: Slope of the labels, > 0: the log-ratio of neighbouring groups. At 1 the sample's own group keeps about
            half of the mass; large values approach the one-hot label.
        dtype: Floating type of the result; the default type if None.

    Returns:
        `(B, G)` on the device of `group`; rows sum to 1.

    Raises:
        ValueError: On wrong arguments.

    Source: Pu et al. 2025, the labels of Eq. 4, with beta = 1.

    Differences from the source: the paper writes the logits as G - |g - k|; the constant cancels in the softmax.
    Beta is our addition. The authors' code clamps the logits to [0, G - 1], and its `step` widens only the first gap;
    neither is done here.

    Example:
        >>> soft_labels(torch.tensor([0, 1]), groups=3, beta=1.0)
        tensor([[0.6652, 0.2447, 0.0900],
                [0.2119, 0.5761, 0.2119]])
    """
    if groups < 1:
        raise ValueError(f"groups must be >= 1, got {groups}")
    if not 0 < beta < math.inf:
        raise ValueError(f"beta must be > 0 and finite, got {beta}")
    check_group(group, groups)
    k = torch.arange(groups, device=group.device)
    table = torch.softmax(-beta * (k[:, None] - k).abs().double(), dim=1)  # one row per group, not per sample
    return table.to(dtype or torch.get_default_dtype()).index_select(0, group.long())


def check_group(group: Tensor, groups: int) -> None:
    """Refuse anything but a tensor `(B,)` of groups in [0, G). On a GPU the values are not checked.

    Raises:
        ValueError: On a wrong shape or type, or, on a CPU, on groups outside the range.
    """
    if group.dim() != 1 or group.is_floating_point() or group.is_complex():
        raise ValueError(f"group must be whole numbers of shape (B,), got {group.dtype} of shape {tuple(group.shape)}")
    if group.device.type == "cpu" and len(group):
        least, most = int(group.min()), int(group.max())
        if least < 0 or most >= groups:
            raise ValueError(f"group must lie in [0, {groups}), got {least}..{most}")


@dataclass(frozen=True)
class LDS:
    """Kernel that smooths label counts over neighbouring bins (label distribution smoothing).

    Attributes:
        kernel: Shape of the kernel.
        size: Number of bins that the kernel covers, odd.
        sigma: Width in bins, used by "gaussian" and "laplace".

    Raises:
        ValueError: On a size that is even or below 1, a sigma that is not positive, or an unknown kernel.

    Source: Yang et al. 2021, label distribution smoothing; the windows of the published code.

    Example:
        >>> LDS("gaussian", 5, 2).window().round(3).tolist()
        [0.858, 0.946, 1.0, 0.946, 0.858]
    """

    kernel: Kernel = "gaussian"
    size: int = 5
    sigma: float = 2.0

    def __post_init__(self) -> None:
        if self.kernel not in get_args(Kernel):
            raise ValueError(f"kernel must be one of {', '.join(get_args(Kernel))}, got {self.kernel!r}")
        if self.size < 1 or self.size % 2 == 0:
            raise ValueError(f"size must be odd and >= 1, got {self.size}")
        if not 0 < self.sigma < math.inf:
            raise ValueError(f"sigma must be > 0 and finite, got {self.sigma}")

    def window(self) -> npt.NDArray[np.float64]:
        """Return the kernel `(size,)`, float64, with largest value 1.

        As published, the gaussian is the response of a filter with reflected ends to an impulse in `size` bins. On such
        a short array it is much flatter than exp(-x^2 / (2 sigma^2)).
        """
        half = self.size // 2
        if self.kernel == "gaussian":
            from scipy.ndimage import gaussian_filter1d

            impulse = np.zeros(self.size)
            impulse[half] = 1.0
            window = np.asarray(gaussian_filter1d(impulse, sigma=self.sigma), dtype=np.float64)
        elif self.kernel == "triangular":
            from scipy.signal.windows import triang  # here, because importing scipy.signal takes a second

            window = np.asarray(triang(self.size), dtype=np.float64)
        else:
            window = np.exp(-np.abs(np.arange(-half, half + 1)) / self.sigma)
        return cast("npt.NDArray[np.float64]", window / window.max())


@overload
def sample_weights(
    y: Tensor,
    *,
    bin_width: float,
    low: float = ...,
    mode: str,
    lds: LDS | None = ...,
    high: float | None = ...,
    clip: Sequence[float] | None = ...,
) -> Tensor: ...
@overload
def sample_weights(
    y: Array,
    *,
    bin_width: float,
    low: float = ...,
    mode: str,
    lds: LDS | None = ...,
    high: float | None = ...,
    clip: Sequence[float] | None = ...,
) -> npt.NDArray[np.float32]: ...
def sample_weights(
    y: Tensor | Array,
    *,
    bin_width: float,
    low: float = 0.0,
    mode: str,
    lds: LDS | None = None,
    high: float | None = None,
    clip: Sequence[float] | None = None,
) -> Tensor | npt.NDArray[np.float32]:
    """Return weights that make samples of rare labels count more.

    The weight of a sample is 1 over the number of samples in its bin (or over its square root), smoothed over bins if
    `lds` is given. All weights are then scaled to mean 1.

    Args:
        y: Training labels `(N,)`, a tensor or an array, in label units.
        bin_width: > 0, in label units.
        low: Lower edge of the first bin, which also counts the labels below it.
        mode: "inverse" or "sqrt_inverse", or another of `groupdir.registry.WEIGHTS`, or "module:Class".
        lds: Smoothing of the counts (of their square roots for "sqrt_inverse"), empty bins included.
        high: Upper edge of the last bin, which also counts labels of `high` or more, such as 5.0 in the bin 4.9..5.
            None: as many bins as the labels need. With width 1 and high 121, ages of 120 and more share one bin.
        clip: (least, most) count of a bin before the inversion, for "inverse" only. Published for ages: (5, 1000).

    Returns:
        `(N,)` float32 with mean 1: a tensor on the device of y if y is a tensor, else an array.

    Raises:
        ValueError: On wrong arguments, and on labels that are NaN or infinite.

    Source: Yang et al. 2021 (INV, SQINV, LDS), `_prepare_weights` of the published code.

    Differences from the source: for INV with LDS the published code convolves whole numbers, and scipy truncates the
    smoothed counts to whole numbers (weights off by up to 4 %). Here they stay floating. Labels are binned in their
    own type.

    Example:
        >>> sample_weights(np.array([1.0, 1.2, 3.0]), bin_width=1, mode="inverse").tolist()
        [0.75, 0.75, 1.5]
    """
    options = {"mode": mode, "lds": None if lds is None else dataclasses.asdict(lds), "clip": clip}
    try:
        cls: Any = resolve("weights", mode)
    except ConfigError as error:
        raise ValueError(str(error)) from error
    weigher = cls.from_options({name: value for name, value in options.items() if value is not None})
    weight = weigher.weights(as_array(y), bin_width=bin_width, low=low, high=high)
    return torch.from_numpy(weight).to(y.device) if isinstance(y, Tensor) else weight
