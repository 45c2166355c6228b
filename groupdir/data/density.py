"""Label densities: long-tailed ones to train on, balanced ones to measure on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

LABELS = 101
"""Labels of the built-in data sets: the whole numbers 0..100."""

MODES = ((1.0, 38.0, 13.0), (0.06, 70.0, 12.0))
"""The built-in long tail: (height, centre, standard deviation) of each mode, in labels."""


def long_tailed(modes: Sequence[tuple[float, float, float]], floor: float) -> npt.NDArray[np.float64]:
    """A density `(LABELS,)` over the labels 0..100: a sum of normal modes, mixed with a uniform density.

    Args:
        modes: (height, centre, standard deviation) of each mode, in labels.
        floor: Share of the uniform density, in [0, 1]: without it the tails would never be seen in training.

    Raises:
        ValueError: On no modes, a standard deviation that is not positive, or a floor outside [0, 1].

    Example:
        >>> density = long_tailed(MODES, floor=0.05)
        >>> int(density.argmax()), round(float(density.sum()), 6), round(float(density[100]) * 2500, 2)
        (38, 1.0, 1.33)
    """
    if not 0 <= floor <= 1:
        raise ValueError(f"floor must be in [0, 1], got {floor}")
    if not modes or min(spread for _, _, spread in modes) <= 0:
        raise ValueError(f"modes must be at least one, with standard deviations > 0, got {modes}")
    label = np.arange(LABELS)
    peaks = sum(height * np.exp(-(((label - centre) / spread) ** 2) / 2) for height, centre, spread in modes)
    density: npt.NDArray[np.float64] = (1 - floor) * peaks / np.sum(peaks) + floor / LABELS
    return density


def draw_labels(density: npt.NDArray[np.float64], size: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Labels `(size,)`, independent draws from a density over 0..100, in random order."""
    return rng.choice(len(density), size=size, p=density).astype(np.float32)


def balanced_labels(per_label: int) -> npt.NDArray[np.float32]:
    """Labels `(LABELS * per_label,)`, ascending, each of 0..100 equally often."""
    return np.repeat(np.arange(LABELS, dtype=np.float32), per_label)
