"""Bins of a label range with exact edges, also for float32 labels and decimal bin widths."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class Tensor(Protocol):
    """Protocol of a torch tensor, for modules that load no torch."""

    def detach(self) -> Any:
        """Return the tensor without its history."""


Values = npt.ArrayLike | Tensor
FloatArray = npt.NDArray[np.floating[Any]]


def even_edges(low: float, width: float, index: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return lower edges `low + width * index`, correctly rounded to float64.

    Decimal numbers are taken as written: 0.1 is one tenth, not the nearest binary number, so edge 26 of width 0.1 is
    2.6 and not 2.6000000000000001. Numerators and the common denominator are whole numbers; only the division rounds.

    Example:
        >>> even_edges(0.0, 0.1, [3, 26]).tolist()
        [0.3, 2.6]
    """
    return rational_edges(decimal(low), decimal(width), index)


def edge_text(edge: float) -> str:
    """Return an edge or a label for a person, with all digits that distinguish it from its neighbours.

    >>> edge_text(0.1 * 3), edge_text(5500001.0), edge_text(1e-7)
    ('0.3', '5500001', '1e-07')
    """
    return f"{edge:.15g}"


def decimal(number: float) -> Fraction:
    """Return the number that a person wrote: the shortest decimal that reads as `number`, as an exact fraction.

    Raises:
        ValueError: If the number is not finite.
    """
    if not math.isfinite(number):
        raise ValueError(f"an edge must be finite, got {number}")
    return Fraction(repr(float(number)))


def rational_edges(low: Fraction, width: Fraction, index: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return edges `low + width * index`, correctly rounded to float64 while their numerators stay below 2^53."""
    common = math.lcm(low.denominator, width.denominator)
    start, step = low.numerator * (common // low.denominator), width.numerator * (common // width.denominator)
    index = np.asarray(index)
    if max(abs(start), common, abs(step) * int(np.abs(index).max(initial=1))) >= 2**52:
        distinct, inverse = np.unique(index, return_inverse=True)
        exact = np.array([float(low + width * int(i)) for i in distinct], dtype=np.float64)
        return exact[inverse].reshape(index.shape)
    edges: npt.NDArray[np.float64] = (start + step * index.astype(np.int64)) / np.float64(common)
    return edges


def bin_index(y: Values, low: float, bin_width: float, bins: int | None = None) -> npt.NDArray[np.int64]:
    """Return the bin of each label: the last bin k whose lower edge `low + k * bin_width` is not above the label.

    Labels are compared with edges in the type of the labels. A float32 2.6 is slightly more than 2.6. Dividing it in
    float32, or comparing it with float64 edges, would put some labels on an edge into the bin below.

    Args:
        y: Labels `(N,)`; whole numbers are taken as float64.
        low: Lower edge of bin 0.
        bin_width: > 0, in label units.
        bins: Number of bins; labels outside go to the first and the last bin. None: an endless grid, on which labels
            below `low` have negative bins.

    Raises:
        ValueError: On labels that are NaN or infinite, a width that is not positive, or fewer than one bin.

    Example:
        >>> bin_index(np.array([0.0, 2.6, 5.0], dtype=np.float32), 0.0, 0.1, bins=50).tolist()
        [0, 26, 49]
    """
    if not 0 < bin_width < math.inf:
        raise ValueError(f"bin_width must be > 0 and finite, got {bin_width}")
    if bins is not None and bins < 1:
        raise ValueError(f"bins must be >= 1, got {bins}")
    labels = finite_labels(y)
    guess = np.floor((labels.astype(np.float64) - low) / bin_width)
    if guess.size and np.abs(guess).max() >= 2**53:
        raise ValueError(f"bin_width is too small for these labels: {bin_width} gives more than 2^53 bins")
    index = guess.astype(np.int64)
    if bins is not None:
        index = np.clip(index, 0, bins - 1)
    for shift in (1, 0):  # a quotient near a whole number may be off by one, either way
        edge = even_edges(low, bin_width, index + shift).astype(labels.dtype)
        index = np.where(edge <= labels, index + shift, index + shift - 1)
    return np.clip(index, 0, bins - 1) if bins is not None else index


def bins_between(low: float, high: float, bin_width: float) -> int:
    """Return the number of bins from `low` to `high`; the last one may reach beyond.

    Raises:
        ValueError: Unless low < high and bin_width > 0, all finite.

    Example:
        >>> bins_between(0.0, 5.0, 0.1)
        50
    """
    if not (0 < bin_width < math.inf and -math.inf < low < high < math.inf):
        raise ValueError(
            f"low < high and bin_width > 0 must hold, all finite, got low={low}, high={high}, bin_width={bin_width}"
        )
    return math.ceil((decimal(high) - decimal(low)) / decimal(bin_width))


def finite_labels(y: Values) -> FloatArray:
    """Return labels as a floating array of their own type, whole numbers as float64.

    Raises:
        ValueError: If a label is NaN or infinite, or the labels are not numbers.
    """
    labels = as_array(y)
    if labels.dtype.kind in "iub":
        labels = labels.astype(np.float64)
    if labels.dtype.kind != "f":
        raise ValueError(f"labels must be real numbers, got an array of {labels.dtype}")
    bad = int(np.count_nonzero(~np.isfinite(labels)))
    if bad:
        raise ValueError(f"labels must be finite, got {bad} NaN or infinite among {labels.size}")
    return labels


def as_array(values: Values) -> npt.NDArray[Any]:
    """Convert an array, a list, or a tensor on any device to an array. Half precision becomes float32."""
    if hasattr(values, "detach"):
        tensor = values.detach().cpu()
        return np.asarray(tensor.float() if tensor.is_floating_point() and tensor.itemsize < 4 else tensor)
    return np.asarray(values)
