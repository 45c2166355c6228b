"""Turned digits: no handwriting in two splits, and a label is an angle."""

import math
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.datasets import load_digits

from groupdir.config.datasets import DigitsConfig
from groupdir.data.base import SplitName
from groupdir.data.drawn import digits
from groupdir.data.drawn.digits import Digits, draw, source_images, turn

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
Images = npt.NDArray[np.float64]


def as_set(images: Images) -> set[bytes]:
    return {np.ascontiguousarray(image).tobytes() for image in images}


@pytest.mark.parametrize("seed", [0, 7])
def test_source_images_are_split_60_15_25(seed: int) -> None:
    parts = {split: source_images(split, seed) for split in SPLITS}
    assert {split: len(images) for split, images in parts.items()} == {"train": 1078, "val": 270, "test": 449}
    for a, b in combinations(parts.values(), 2):
        assert not as_set(a) & as_set(b)
    assert set().union(*map(as_set, parts.values())) == as_set(load_digits().images / 16)


def test_the_seed_shuffles_the_source_images() -> None:
    assert np.array_equal(source_images("val", 0), source_images("val", 0))
    assert as_set(source_images("val", 0)) != as_set(source_images("val", 1))


def test_each_split_is_drawn_from_its_own_images(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[set[bytes]] = []

    def watched(images: Images, y: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
        drawn.append(as_set(images))
        return draw(images, y, rng)

    monkeypatch.setattr(digits, "draw", watched)
    data = Digits(DigitsConfig(name="digits", seed=5, train=3, val_per_label=1, test_per_label=1))
    for split in SPLITS:
        data.split(split)
        assert drawn[-1] == as_set(source_images(split, 5))


def turned_by_loops(image: Images, degrees: float, inverse_scale: float, shift: tuple[float, float]) -> Images:
    """Each pixel asks for its place in the image, and takes the mean of the four pixels around it."""
    found = np.zeros((32, 32))
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))

    def pixel(row: int, column: int) -> float:
        return float(image[row, column]) if 0 <= row < 8 and 0 <= column < 8 else 0.0

    for row in range(32):
        for column in range(32):
            right, down = (column + 0.5) / 16 - 1, (row + 0.5) / 16 - 1
            x = (inverse_scale * (cos * right - sin * down) + shift[0] + 1) * 4 - 0.5
            y = (inverse_scale * (sin * right + cos * down) + shift[1] + 1) * 4 - 0.5
            left, top = math.floor(x), math.floor(y)
            for r, c in ((0, 0), (0, 1), (1, 0), (1, 1)):
                share = (x - left if c else left + 1 - x) * (y - top if r else top + 1 - y)
                found[row, column] += share * pixel(top + r, left + c)
    return found


@pytest.mark.parametrize(
    ("degrees", "inverse_scale", "shift"),
    [(0.0, 1.0, (0.0, 0.0)), (75.0, 0.95, (0.2, -0.2)), (-75.0, 1.45, (-0.2, 0.1)), (31.0, 1.2, (0.05, 0.0))],
)
def test_turning_is_bilinear_interpolation(degrees: float, inverse_scale: float, shift: tuple[float, float]) -> None:
    image = source_images("train", 0)[3]
    found = turn(image[None], np.array([degrees]), np.array([inverse_scale]), np.array([shift]))[0]
    np.testing.assert_allclose(found, turned_by_loops(image, degrees, inverse_scale, shift), atol=1e-9)
    assert found.max() > 0.5


@pytest.mark.parametrize("label", [0, 20, 50, 65, 100])
def test_a_label_is_150_degrees_times_its_share(label: int) -> None:
    bar = np.pad(np.ones((1, 8, 2)), ((0, 0), (0, 0), (3, 3)))
    pictures = draw(bar, np.full(500, label, dtype=np.float32), np.random.default_rng(0))
    mean = np.clip(pictures.mean(axis=(0, 1)) - 0.02, 0, None)  # of all shifts; the noise is below 0.02
    down, right = (grid - 15.5 for grid in np.mgrid[:32, :32])
    xx, yy, xy = ((mean * a * b).sum() for a, b in ((right, right), (down, down), (right, down)))
    counterclockwise = np.degrees(np.arctan2(2 * xy, yy - xx)) / 2  # from upright
    assert counterclockwise == pytest.approx(150 * (label / 100 - 0.5), abs=2)


def test_pictures_are_darkened_and_get_noise() -> None:
    rng = np.random.default_rng(0)
    blank = draw(np.zeros((2, 8, 8)), np.full(200, 50, dtype=np.float32), rng)
    assert blank.mean() == pytest.approx(0, abs=0.002)
    assert blank.std() == pytest.approx(0.1, rel=0.02)
    full = draw(np.ones((2, 8, 8)), np.full(600, 50, dtype=np.float32), rng)[:, 0, 12:20, 12:20].mean(axis=(1, 2))
    assert full.min() == pytest.approx(0.6, abs=0.05)
    assert full.max() == pytest.approx(1.0, abs=0.05)
    assert full.mean() == pytest.approx(0.8, abs=0.02)


def test_every_image_of_the_split_may_be_drawn_from() -> None:
    levels = np.linspace(0.1, 1, 10)[:, None, None] * np.ones((10, 8, 8))
    pictures = draw(levels, np.full(4000, 50, dtype=np.float32), np.random.default_rng(0))
    middle = pictures[:, 0, 12:20, 12:20].mean(axis=(1, 2))
    assert middle.min() < 0.1  # only the darkest gives this
    assert middle.max() > 0.93  # only the brightest


def test_pictures_do_not_depend_on_how_many_are_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    images, y = source_images("val", 0), np.arange(7, dtype=np.float32)
    at_once = draw(images, y, np.random.default_rng(0))
    monkeypatch.setattr(digits, "_AT_ONCE", 3)
    assert np.array_equal(draw(images, y, np.random.default_rng(0)), at_once)
