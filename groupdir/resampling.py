"""Resampling of a training set for regression (SMOTER, SMOGN): add samples of rare targets, drop frequent ones.

The targets are sorted and cut into bumps. A bump is a run of targets that are all rare, or all not rare. Every bump
moves towards the same size, N / (number of bumps), whether its targets are rare or not. A smaller bump keeps its
samples and gets new ones between a sample and one of its nearest neighbours in the bump. SMOGN adds noise to the sample
instead if that neighbour is far. A larger bump loses random samples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from groupdir.bins import bin_index, bins_between, finite_labels
from groupdir.labels import LDS

Array = npt.NDArray[np.floating]
Bools = npt.NDArray[np.bool_]
_BLOCK = 2**22  # number of distances held in memory at a time


@dataclass(frozen=True)
class Resampled:
    """Resampled training set: kept samples in their old order, then new ones.

    Attributes:
        x: Inputs `(M, ...)` of the given type.
        y: Targets `(M,)` of the given type.
        source: `(M,)` int64, for each sample the index of the original sample that it copies or was made from.
        kept: Number of original samples, which come first.
    """

    x: npt.NDArray[np.floating]
    y: npt.NDArray[np.floating]
    source: npt.NDArray[np.int64]
    kept: int


def smoter(
    x: Array,
    y: Array,
    rare: Bools,
    rng: np.random.Generator,
    *,
    neighbors: int = 5,
    ratio: float = 1.0,
    undersample: bool = True,
) -> Resampled:
    """Resample by SMOTER: new samples lie between a sample of a small bump and one of its nearest neighbours there.

    x' = x_i + u (x_n - x_i) with u uniform in [0, 1). y' is the mean of y_i and y_n weighted by the inverse distance to
    x', which equals y_i + u (y_n - y_i). If x_i = x_n, it is their plain mean.

    Args:
        x: Inputs `(N, ...)`, floating. Distances are Euclidean over all values of a sample.
        y: Targets `(N,)`, floating.
        rare: `(N,)`, true for samples with a rare target, equal for equal targets; see `rare_by_relevance` and
            `rare_by_count`.
        rng: Source of all random numbers.
        neighbors: Number of nearest neighbours from which one is drawn, >= 1. A smaller bump uses all its other
            samples, and the sample of a bump of one is copied.
        ratio: Degree of balancing, in [0, 1]. A bump of n samples changes to n + ratio (N / bumps - n); 0 changes
            nothing, and 1 gives all bumps the same size, if `undersample` is set.
        undersample: Whether larger bumps lose samples.

    Returns:
        The new training set.

    Raises:
        ValueError: On wrong shapes or types, or if no target is rare, or if all are.

    Source: Torgo et al. 2013 (SMOTE for regression), with the strategy "balance" of the package smogn.

    Differences from the source: neighbours and distances use the inputs without the target. For tied distances the
    package computes the mean as y_i + y_n / 2. Its label weights use only the last numeric column. Here the original
    samples of a small bump are kept.

    Example:
        >>> x, y = np.array([[0.0], [1.0], [2.0], [3.0], [10.0], [11.0]]), np.array([0.0, 1, 2, 3, 10, 11])
        >>> new = smoter(x, y, y > 9, np.random.default_rng(0))
        >>> new.y.shape, new.kept, bool((new.x[new.kept :, 0] == new.y[new.kept :]).all())
        ((6,), 5, True)
    """
    return _resample(x, y, rare, rng, ratio, undersample, _Maker(neighbors))


def smogn(
    x: Array,
    y: Array,
    rare: Bools,
    rng: np.random.Generator,
    *,
    neighbors: int = 5,
    perturbation: float = 0.02,
    ratio: float = 1.0,
    undersample: bool = True,
) -> Resampled:
    """Resample by SMOGN: interpolate to a near neighbour as `smoter` does, and add noise if the neighbour is far.

    Let r be half the median distance from the sample to the other samples of its bump. A neighbour is near if its
    distance is below r. Otherwise the new sample is x_i + p N(0, s^2), y_i + p N(0, s_y^2). Here s and s_y are the
    standard deviations of each feature and of the target in the bump, and p is the smaller of `perturbation` and r. New
    values are clipped to the smallest and largest value of all of `x`, and of all of `y`.

    Args:
        x: See `smoter`.
        y: See `smoter`.
        rare: See `smoter`.
        rng: See `smoter`.
        neighbors: See `smoter`.
        perturbation: Size of the noise, >= 0, in standard deviations.
        ratio: See `smoter`.
        undersample: See `smoter`.

    Returns:
        The new training set.

    Raises:
        ValueError: As `smoter`.

    Source: Branco et al. 2017 (SMOGN) and the package smogn.

    Differences from the source: those of `smoter`. The median excludes the sample itself. Values are clipped at both
    ends of the range, not only at 0.
    """
    return _resample(x, y, rare, rng, ratio, undersample, _Maker(neighbors, perturbation))


def relevance(y: Array, *, coef: float = 1.5) -> npt.NDArray[np.float64]:
    """Return the relevance of each target, 0 to 1: how far it lies in a tail of the box plot of all targets.

    On a side with outliers, the relevance is 0 at the median, and 1 at the end of the whisker and beyond. Between them
    it rises as 3 t^2 - 2 t^3, where t is the share of the way. On a side without outliers it is 0.

    Args:
        y: Targets `(N,)`, N >= 1.
        coef: Largest length of a whisker, > 0, in interquartile ranges. A whisker ends at the last target within it.

    Raises:
        ValueError: If `y` is empty or not finite, or `coef` is not positive.

    Source: Ribeiro 2011 (relevance), Tukey's box plot, as in the package smogn.

    Example:
        >>> relevance(np.array([0.0, 1, 2, 3, 4, 10])).round(2).tolist()
        [0.0, 0.0, 0.0, 0.26, 1.0, 1.0]
    """
    labels = finite_labels(y).astype(np.float64)
    if labels.ndim != 1 or not labels.size:
        raise ValueError(f"y must have shape (N,) with N >= 1, got {labels.shape}")
    if not 0 < coef < math.inf:
        raise ValueError(f"coef must be > 0 and finite, got {coef}")
    low, median, high = (float(np.quantile(labels, q, method="midpoint")) for q in (0.25, 0.5, 0.75))
    reach = coef * (high - low)
    phi = np.zeros_like(labels)
    for sign, end in ((-1, labels[labels >= low - reach].min()), (1, labels[labels <= high + reach].max())):
        beyond = sign * (labels - end)
        if not (beyond > 0).any():
            continue
        width = sign * (end - median)
        share = np.clip(sign * (labels - median) / width, 0, 1) if width > 0 else (beyond > 0).astype(np.float64)
        phi = np.maximum(phi, share**2 * (3 - 2 * share))
    return phi


def rare_by_relevance(y: Array, *, threshold: float = 0.5, coef: float = 1.5) -> Bools:
    """Return a mask of the targets whose `relevance` is at least `threshold`. It may be empty, as on STS-B.

    Raises:
        ValueError: As `relevance`, and on a threshold outside (0, 1].
    """
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be in (0, 1], got {threshold}")
    return relevance(y, coef=coef) >= threshold


def rare_by_count(
    y: Array, *, below: float, bin_width: float, low: float = 0.0, high: float | None = None, lds: LDS | None = None
) -> Bools:
    """Return a mask of the targets in bins with fewer than `below` samples, counted as in `sample_weights`.

    Args:
        y: Targets `(N,)`.
        below: Count at which a bin is no longer rare, > 0.
        bin_width: Width of a bin, > 0, in the units of `y`.
        low: Lower edge of the first bin, which also counts the targets below it.
        high: Upper edge of the last bin, which also counts the targets above it. None: as many bins as needed.
        lds: Smoothing of the counts over neighbouring bins.

    Raises:
        ValueError: On wrong arguments, or targets that are not finite.

    Example:
        >>> rare_by_count(np.array([1.0, 1.2, 1.4, 7.0]), below=2, bin_width=1).tolist()
        [False, False, False, True]
    """
    if not 0 < below < math.inf:
        raise ValueError(f"below must be > 0 and finite, got {below}")
    bins = None if high is None else bins_between(low, high, bin_width)
    index = np.maximum(bin_index(y, low, bin_width, bins), 0)
    count = np.bincount(index, minlength=bins or 0).astype(np.float64)
    if lds is not None:
        window, half = lds.window(), lds.size // 2
        count = np.convolve(count, window / window.sum(), mode="full")[half : half + len(count)]
    return np.asarray(count[index] < below)


def _resample(
    x: Array, y: Array, rare: Bools, rng: np.random.Generator, ratio: float, undersample: bool, maker: _Maker
) -> Resampled:
    """Return the training set in which each bump has its new size. `maker` makes the new samples."""
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio must be in [0, 1], got {ratio}")
    bumps = _bumps(x, y, rare)
    kept, new = [], []
    for members in bumps:
        size = round(len(members) + ratio * (len(y) / len(bumps) - len(members)))
        if size < len(members) and undersample:
            kept.append(rng.choice(members, max(size, 1), replace=False))
            continue
        kept.append(members)
        if size > len(members):
            new.append(maker.make(x, y, members, size - len(members), rng))
    source = np.sort(np.concatenate(kept))
    return Resampled(
        np.concatenate([x[source], *(part.x for part in new)]),
        np.concatenate([y[source], *(part.y for part in new)]),
        np.concatenate([source, *(part.source for part in new)]),
        len(source),
    )


def _bumps(x: Array, y: Array, rare: Bools) -> list[npt.NDArray[np.int64]]:
    """Return the indices of the samples of each bump, by ascending target."""
    for name, values in (("x", x), ("y", y)):
        if not np.issubdtype(values.dtype, np.floating):
            raise ValueError(f"{name} must be floating to be interpolated, got {values.dtype}")
    if y.ndim != 1 or len(x) != len(y) or rare.shape != y.shape or rare.dtype != np.bool_:
        raise ValueError(
            f"x, y and rare must be (N, ...), (N,) and (N,) of bools, got {x.shape}, {y.shape} and {rare.shape} "
            f"of {rare.dtype}"
        )
    finite_labels(y)
    if rare.all() or not rare.any():
        raise ValueError(f"some targets must be rare and some not, got {int(rare.sum())} rare of {len(rare)}")
    order = np.argsort(y, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(rare[order])) + 1)


@dataclass(frozen=True)
class _Maker:
    """Maker of new samples in a bump: by interpolation to near neighbours, and by noise for far ones if it is set.

    Attributes:
        neighbors: Number of neighbours to choose from.
        perturbation: Size of the noise in standard deviations; None: interpolate at any distance.
    """

    neighbors: int
    perturbation: float | None = None

    def __post_init__(self) -> None:
        if self.neighbors < 1:
            raise ValueError(f"neighbors must be >= 1, got {self.neighbors}")
        if self.perturbation is not None and not 0 <= self.perturbation < math.inf:
            raise ValueError(f"perturbation must be >= 0 and finite, got {self.perturbation}")

    def make(
        self, x: Array, y: Array, members: npt.NDArray[np.int64], number: int, rng: np.random.Generator
    ) -> Resampled:
        """Return `number` new samples. Each member is the base of equally many, and random members of the remainder."""
        flat, label = x[members].reshape(len(members), -1).astype(np.float64), y[members].astype(np.float64)
        repeats, remainder = divmod(number, len(members))
        base = np.concatenate(
            [np.repeat(np.arange(len(members)), repeats), rng.choice(len(members), remainder, replace=False)]
        )
        neighbor, distance, reach = self._partners(flat, base, rng)
        share = rng.random(number)
        new_x = flat[base] + share[:, None] * (flat[neighbor] - flat[base])
        new_y = label[base] + np.where(distance > 0, share, 0.5) * (label[neighbor] - label[base])
        if self.perturbation is not None:
            far = np.flatnonzero(distance >= reach)
            size, at = np.minimum(self.perturbation, reach[far]), base[far]
            noise = rng.standard_normal((len(far), flat.shape[1] + 1)) * size[:, None]
            new_x[far] = np.clip(flat[at] + noise[:, 1:] * flat.std(0), x.min(), x.max())
            new_y[far] = np.clip(label[at] + noise[:, 0] * label.std(), y.min(), y.max())
        return Resampled(new_x.astype(x.dtype).reshape(-1, *x.shape[1:]), new_y.astype(y.dtype), members[base], 0)

    def _partners(
        self, flat: npt.NDArray[np.float64], base: npt.NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return for each base a random nearest neighbour, its distance, and half the median distance to all others.

        Args:
            flat: `(n, D)`, the samples of the bump.
            base: Base of each new sample, as an index into `flat`.
            rng: Source of all random numbers.
        """
        count = len(flat)
        if count == 1:
            return base, np.zeros(len(base)), np.zeros(len(base))
        choices = min(self.neighbors, count - 1)
        centred = flat - flat.mean(0)
        square = np.einsum("nd,nd->n", centred, centred)
        nearest, reach = np.empty((count, choices), dtype=np.int64), np.empty(count)
        rows = max(1, _BLOCK // count)
        for start in range(0, count, rows):
            stop = min(start + rows, count)
            apart = square[start:stop, None] + square - 2 * centred[start:stop] @ centred.T
            apart[np.arange(stop - start), np.arange(start, stop)] = np.inf
            order = np.argsort(apart, axis=1, kind="stable")
            nearest[start:stop] = order[:, :choices]
            others = np.take_along_axis(apart, order[:, : count - 1], axis=1)
            reach[start:stop] = np.median(np.sqrt(np.maximum(others, 0)), axis=1) / 2
        neighbor = nearest[base, rng.integers(0, choices, len(base))]
        return neighbor, np.sqrt(np.square(flat[neighbor] - flat[base]).sum(1)), reach[base]
