"""Rotated handwritten digits: predict the angle of the rotation. The built-in default, without a download."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from groupdir.config.datasets import DigitsConfig
from groupdir.data.base import SplitName
from groupdir.data.drawn.base import SIZE, DrawnPictures

_ENDS = {"train": (0.0, 0.60), "val": (0.60, 0.75), "test": (0.75, 1.0)}  # shares of the shuffled images
_DEGREES = 150.0
_INVERSE_SCALE = (0.95, 1.45)
_SHIFT = 0.2
_GAIN = (0.6, 1.0)
_NOISE = 0.1
_AT_ONCE = 512  # pictures in memory while they are drawn


class Digits(DrawnPictures):
    """Data set of real handwritten digits, each rotated by an angle: labels 0..100 for -75..75 degrees, long-tailed.

    It is built from the 1,797 images of 8x8 pixels in scikit-learn. They are split 60/15/25, so no image occurs in two
    splits. A picture of 32x32 pixels is an image of its split, rotated counterclockwise by 150 (label / 100 - 1/2)
    degrees, randomly scaled, shifted and darkened, with noise. Training labels have a mode at 38 and a small mode at
    70. Validation and test labels are balanced.

    Training pictures are randomly moved and get new noise in every epoch, unless `augment` is none. Without
    augmentation, methods memorise the pictures and their errors grow by half or more.
    """

    Config = DigitsConfig
    config: DigitsConfig
    unit = "steps"  # of 1.5 degrees

    def draw(self, split: SplitName, y: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Rotate handwritten images of the split."""
        return draw(source_images(split, self.config.seed), y, rng)


def source_images(split: SplitName, seed: int) -> npt.NDArray[np.float64]:
    """Return the handwritten images `(M, 8, 8)`, 0..1, of a split. They are disjoint between splits."""
    from sklearn.datasets import load_digits

    images: npt.NDArray[np.float64] = load_digits().images / 16
    order = np.random.default_rng([seed, 0]).permutation(len(images))
    start, end = (round(share * len(images)) for share in _ENDS[split])
    return images[order[start:end]]


def draw(
    images: npt.NDArray[np.float64], y: npt.NDArray[np.float32], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return pictures `(N, 1, SIZE, SIZE)` for labels `(N,)`, each from a random image of the images `(M, 8, 8)`."""
    size = len(y)
    source = rng.integers(len(images), size=size)
    inverse_scale = rng.uniform(*_INVERSE_SCALE, size)
    shift = rng.uniform(-_SHIFT, _SHIFT, (size, 2))
    gain = rng.uniform(*_GAIN, size)
    degrees = _DEGREES * (y.astype(np.float64) / 100 - 0.5)
    pictures = _NOISE * rng.standard_normal((size, 1, SIZE, SIZE), dtype=np.float32)
    for start in range(0, size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        turned = turn(images[source[part]], degrees[part], inverse_scale[part], shift[part])
        pictures[part, 0] += gain[part, None, None] * turned
    return pictures


def turn(
    images: npt.NDArray[np.float64],
    degrees: npt.NDArray[np.float64],
    inverse_scale: npt.NDArray[np.float64],
    shift: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    """Enlarge, rotate, scale and shift images with bilinear interpolation. Pixels outside the images are 0.

    Args:
        images: Images `(N, h, h)`.
        degrees: Angles `(N,)` in degrees, counterclockwise.
        inverse_scale: Inverse scales `(N,)`. At 1 an image fills the picture, and at larger values it is smaller.
        shift: Shifts `(N, 2)` of the sampled position, right and down in the unrotated image, in units of its half
            width. The content moves in the opposite direction.

    Returns:
        Pictures `(N, SIZE, SIZE)`.

    Example:
        >>> bar = np.pad(np.ones((1, 8, 2)), ((0, 0), (0, 0), (3, 3)))
        >>> lying = turn(bar, np.array([90.0]), np.array([1.0]), np.zeros((1, 2)))[0]
        >>> bool(np.allclose(lying, np.rot90(turn(bar, np.zeros(1), np.ones(1), np.zeros((1, 2)))[0])))
        True
    """
    size = images.shape[1]
    across = (2 * np.arange(SIZE) + 1) / SIZE - 1
    angle = np.deg2rad(degrees)
    cos, sin = ((inverse_scale * f(angle))[:, None, None] for f in (np.cos, np.sin))
    right, down = across[None, None, :], across[None, :, None]
    # Pixel coordinates in the image with a border of one dark pixel, so its edge fades out.
    x = (cos * right - sin * down + shift[:, 0, None, None] + 1) * size / 2 + 0.5
    y = (sin * right + cos * down + shift[:, 1, None, None] + 1) * size / 2 + 0.5
    x, y = np.clip(x, 0, size + 1), np.clip(y, 0, size + 1)
    column, row = np.minimum(x.astype(np.int64), size), np.minimum(y.astype(np.int64), size)
    x, y = x - column, y - row
    bordered = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    which = np.arange(len(images))[:, None, None]
    upper = bordered[which, row, column] * (1 - x) + bordered[which, row, column + 1] * x
    lower = bordered[which, row + 1, column] * (1 - x) + bordered[which, row + 1, column + 1] * x
    turned: npt.NDArray[np.float64] = upper * (1 - y) + lower * y
    return turned
