"""Columns of the random numbers that decide a view of a photograph. This file does not import torch."""

from __future__ import annotations

TRIES = 5  # shapes that resized_crop draws per picture
COLOR_DRAWS = 7
"""Random numbers in [0, 1) of a picture's colours: jitter or not, the order, four amounts, and grey or not."""

CORNER, SHAPES, FLIP = slice(0, 2), slice(2, 2 + 2 * TRIES), 2 + 2 * TRIES
COLOR = slice(FLIP + 1, FLIP + 1 + COLOR_DRAWS)

DRAWS = COLOR.stop
"""Random numbers in [0, 1) per view of a picture, for every augmentation."""
