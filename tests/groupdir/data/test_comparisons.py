"""Comparisons of samples: equal keys, near rows by a slow reference, changed copies and other pictures."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from sklearn.datasets import load_sample_images

from groupdir.data.comparisons import (
    NEAR_PICTURES,
    NEAR_ROWS,
    NearPictures,
    NearRows,
    SharedKeys,
    array_keys,
    unit_thumbnails,
)
from groupdir.data.split_names import SplitName


def by_split(**of_split: Any) -> Callable[[SplitName], Any]:
    return lambda name: of_split[name]


def test_any_common_key_is_a_match() -> None:
    keys: dict[str, Sequence[Sequence[str]]] = {
        "test": [("a", "b"), ("c",), (), ("x", "d")],
        "train": [("d",), ("b", "a"), ("a",), ("d",)],
    }
    found = SharedKeys("a sentence", by_split(**keys)).matches("test", "train")
    assert found.tolist() == [1, -1, -1, 0]
    assert found.dtype == np.int64


def test_keys_of_arrays_follow_every_array() -> None:
    first, second = np.arange(12.0).reshape(4, 3), np.array([1, 1, 2, 1])
    keys = array_keys([np.concatenate([first, first]), np.concatenate([second, [1, 1, 2, 3]])])
    assert [keys[k] == keys[k + 4] for k in range(4)] == [True, True, True, False]
    assert len(set(keys)) == 5


@pytest.mark.parametrize("columns", [0, 1, 4])
def test_near_rows_by_a_slow_reference(columns: int) -> None:
    rng = np.random.default_rng(columns)
    train = rng.normal(size=(200, columns))
    test = np.concatenate(
        [train[:60] + rng.uniform(-1.2, 1.2, (60, columns)) * NEAR_ROWS, rng.normal(size=(40, columns))]
    )
    kinds = (rng.integers(0, 3, 100).tolist(), rng.integers(0, 3, 200).tolist())
    rows = by_split(test=(test, kinds[0]), train=(train, kinds[1]))
    found = NearRows(rows).matches("test", "train")
    for index in range(100):
        near = (np.abs(train - test[index]) <= NEAR_ROWS).all(axis=1) & (np.array(kinds[1]) == kinds[0][index])
        assert (found[index] >= 0) == near.any()
        assert found[index] < 0 or near[found[index]]
    assert columns == 0 or 0 < (found >= 0).sum() < 60


PHOTOS = [Image.fromarray(image).convert("RGB") for image in load_sample_images().images]


def crops(seed: int, count: int) -> list[Image.Image]:
    """Parts of two photographs: other pictures of the same scenes."""
    rng = np.random.default_rng(seed)
    parts = []
    for number in range(count):
        photo = PHOTOS[number % 2]
        left, top = rng.integers(0, photo.width - 200), rng.integers(0, photo.height - 200)
        parts.append(photo.crop((left, top, left + 200, top + 200)))
    return parts


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file)


def pixels(pictures: Sequence[Image.Image], size: int = 64) -> np.ndarray:
    return np.stack([np.asarray(picture.convert("RGB").resize((size, size), 2)) for picture in pictures])


def matches(test: Sequence[Image.Image], train: Sequence[Image.Image]) -> list[int]:
    units = {name: unit_thumbnails(pixels(pictures)) for name, pictures in (("test", test), ("train", train))}
    return NearPictures(by_split(**units)).matches("test", "train").tolist()


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "compressed": lambda picture: jpeg(picture, 20),
    "smaller": lambda picture: picture.resize((90, 90)),
    "grey": lambda picture: picture.convert("L"),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.15),
    "less contrast": lambda picture: ImageEnhance.Contrast(picture).enhance(0.6),
    "a border cut": lambda picture: picture.crop((1, 1, 199, 199)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found(change: str) -> None:
    train = crops(0, 300)
    test = [CHANGES[change](picture) for picture in train[50:90]]
    found = np.array(matches(test, train))
    assert (found == np.arange(50, 90)).mean() >= 0.8
    assert set(found) <= {-1, *range(50, 90)}


def test_other_pictures_of_the_same_scene_are_no_match() -> None:
    boxes = [(x, y, x + 200, y + 200) for x in range(0, 440, 40) for y in range(0, 220, 40)]
    grid = [photo.crop(box) for photo in PHOTOS for box in boxes]
    assert matches(grid[::2], grid[1::2]) == [-1] * (len(grid) // 2)
    turned = [picture.transpose(Image.Transpose.ROTATE_90) for picture in crops(0, 40)]
    assert sum(index >= 0 for index in matches(turned, crops(0, 40))) <= 1


def test_pictures_without_a_pattern_match_none() -> None:
    white, black = Image.new("RGB", (50, 50), "white"), Image.new("RGB", (50, 50))
    assert matches([white, black], [white, black]) == [-1, -1]


def test_thumbnails_are_units_and_blocks_do_not_matter() -> None:
    pictures = pixels(crops(3, 130), 48)
    units = unit_thumbnails(pictures)
    np.testing.assert_allclose(np.linalg.norm(units, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(units.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(unit_thumbnails(pictures[100:103]), units[100:103], atol=1e-6)
    many = np.concatenate([units] * 20)  # several blocks of thumbnails
    found = NearPictures(by_split(test=many[:2100], train=many)).matches("test", "train")
    assert (many[:2100] * many[found]).sum(axis=1).min() >= NEAR_PICTURES
