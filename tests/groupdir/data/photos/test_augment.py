"""Views of a batch against slow ones, a picture at a time, by PIL's and torchvision's own functions."""

import math
from itertools import permutations

import numpy as np
import pytest
import torch
import torchvision.transforms.functional as TF
from PIL import Image, ImageOps
from scipy import stats
from torch import Tensor
from torchvision.transforms import InterpolationMode

from groupdir.data.photos import augment
from groupdir.data.photos.augment import PADDING, augmented, crop_flip, resized_crop_flip, standardized
from groupdir.data.photos.colors import jitter, to_grey
from groupdir.data.photos.draws import COLOR_DRAWS, DRAWS, TRIES

SIZE = 48
HALF = (0.5, 0.5, 0.5)
COLOR = slice(DRAWS - COLOR_DRAWS, DRAWS)


def pictures(count: int, size: int = SIZE) -> Tensor:
    """Smooth colours with some noise, and one grey picture, one black and one white."""
    draw = torch.Generator().manual_seed(0)
    rough = torch.rand(count, 3, 5, 5, generator=draw)
    smooth = torch.nn.functional.interpolate(rough, (size, size), mode="bicubic").clamp(0, 1)
    found = (255 * smooth + 8 * torch.rand(smooth.shape, generator=draw)).clamp(0, 255).to(torch.uint8)
    found[0], found[1], found[2] = found[0, :1], 0, 255
    return found.movedim(1, -1).contiguous()


def numbers(count: int, seed: int = 0) -> Tensor:
    return torch.rand(count, DRAWS, generator=torch.Generator().manual_seed(seed))


def as_floats(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).movedim(-1, 0).double() / 255


def crop_by_pil(picture: Tensor, draws: Tensor) -> Image.Image:
    image = ImageOps.expand(Image.fromarray(picture.numpy()), PADDING)
    top, left = (int(number * (2 * PADDING + 1)) for number in draws[:2].double())
    image = image.crop((left, top, left + picture.shape[1], top + picture.shape[0]))
    return ImageOps.mirror(image) if draws[2 + 2 * TRIES] < 0.5 else image


def part_by_hand(draws: list[float], size: int) -> tuple[int, int, int, int]:
    """Top, left, height, width as torchvision's RandomResizedCrop makes them of uniform numbers."""
    for number in range(TRIES):
        area = (0.2 + 0.8 * draws[2 + 2 * number]) * size * size
        ratio = math.exp(math.log(3 / 4) + (math.log(4 / 3) - math.log(3 / 4)) * draws[3 + 2 * number])
        width, height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if width <= size and height <= size:
            break
    else:
        width = height = size
    return int(draws[0] * (size - height + 1)), int(draws[1] * (size - width + 1)), height, width


def resized_by_torchvision(picture: Tensor, draws: Tensor) -> Tensor:
    part = part_by_hand(draws.double().tolist(), picture.shape[0])
    floats = picture.movedim(-1, 0).double() / 255
    found = TF.resized_crop(floats, *part, list(picture.shape[:2]), InterpolationMode.BILINEAR, antialias=True)
    return TF.hflip(found) if draws[2 + 2 * TRIES] < 0.5 else found


def jitter_by_torchvision(picture: Tensor, draws: list[float]) -> Tensor:
    if draws[0] >= 0.8:
        return picture
    code = int(draws[1] * 24)
    steps = [["brightness", "contrast", "saturation"][k] for k in list(permutations(range(3)))[code // 4]]
    steps.insert(code % 4, "hue")
    factors = {name: 0.6 + 0.8 * draws[2 + k] for k, name in enumerate(("brightness", "contrast", "saturation"))}
    factors["hue"] = -0.1 + 0.2 * draws[5]
    for name in steps:
        picture = getattr(TF, f"adjust_{name}")(picture, factors[name])
    return picture


def test_a_crop_and_a_flip_are_pils() -> None:
    given, draws = pictures(60), numbers(60)
    found = crop_flip(given, draws)
    assert found.dtype == torch.uint8
    for picture, row, ours in zip(given, draws, found, strict=True):
        assert np.array_equal(ours.numpy(), np.array(crop_by_pil(picture, row)))


def test_crops_reach_every_corner_and_no_further() -> None:
    given = torch.zeros(4, 20, 24, 3, dtype=torch.uint8)
    given[:, 8, 9] = 200
    draws = torch.full((4, DRAWS), 0.9)
    ends = torch.tensor([0.0, 1 - 2**-24])  # 33 times the last is 33 in float32
    draws[:, :2] = torch.cartesian_prod(ends, ends)
    found = crop_flip(given, draws, padding=4)
    assert [divmod(int(one[..., 0].argmax()), 24) for one in found] == [(12, 13), (12, 5), (4, 13), (4, 5)]


def test_a_part_is_torchvisions_resized_crop() -> None:
    given, draws = pictures(80), numbers(80)
    found = resized_crop_flip(given, draws)
    for picture, row, ours in zip(given, draws, found, strict=True):
        torch.testing.assert_close(ours.double(), resized_by_torchvision(picture, row), rtol=0, atol=2e-5)


def test_parts_have_torchvisions_areas_and_ratios_and_the_whole_is_taken_where_none_fits() -> None:
    top, left, height, width = augment._parts(numbers(20_000), 224, 224)
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height <= 224).all()
    assert (left + width <= 224).all()
    area = (height * width / 224**2).numpy()
    assert 0.19 < area.min() < 0.21
    expected = np.array([part_by_hand(row, 224) for row in numbers(4000, 1).double().tolist()])
    assert stats.ks_2samp(area, expected[:, 2] * expected[:, 3] / 224**2).pvalue > 0.01
    never = torch.ones(1, DRAWS)  # the whole area in no square
    assert [int(value) for value in augment._parts(never, 224, 224)] == [0, 0, 224, 224]


def test_colours_are_torchvisions() -> None:
    given, draws = pictures(300, 16).movedim(-1, 1).double() / 255, numbers(300, 3)[:, COLOR]
    found = jitter(given.float(), draws)
    for picture, row, ours in zip(given, draws.double().tolist(), found, strict=True):
        torch.testing.assert_close(ours.double(), jitter_by_torchvision(picture, row), rtol=0, atol=2e-3)
    unchanged = draws[:, 0] >= 0.8
    assert 30 < int(unchanged.sum()) < 90
    assert torch.equal(found[unchanged], given.float()[unchanged])


def test_every_order_of_the_colours_is_drawn() -> None:
    given = pictures(5, 8)[3:4].movedim(-1, 1).double() / 255
    rows = torch.full((24, COLOR_DRAWS), 0.9)
    rows[:, 0], rows[:, 1], rows[:, 3] = 0, (torch.arange(24) + 0.5) / 24, 0.1
    found = jitter(given.float().expand(24, -1, -1, -1), rows)
    for row, ours in zip(rows.double().tolist(), found, strict=True):
        torch.testing.assert_close(ours.double(), jitter_by_torchvision(given[0], row), rtol=0, atol=2e-3)
    assert len({tuple(one.flatten().mul(1e4).round().tolist()) for one in found}) > 12


def test_a_fifth_is_grey() -> None:
    given, draws = pictures(400, 8).movedim(-1, 1) / 255, numbers(400)[:, COLOR]
    found = to_grey(given, draws)
    grey = draws[:, 6] < 0.2
    assert 50 < int(grey.sum()) < 110
    assert torch.equal(found[~grey], given[~grey])
    torch.testing.assert_close(found[grey], TF.rgb_to_grayscale(given[grey], 3), rtol=0, atol=1e-3)


@pytest.mark.parametrize("kind", ["crop_flip", "crop_flip_color", "resized_crop_color"])
def test_a_whole_view_is_its_steps_one_after_the_other(kind: str) -> None:
    given, draws = pictures(40), numbers(40, 5)
    found = augmented(given, draws, kind, HALF, (0.5, 0.4, 0.3))  # type: ignore[arg-type]
    assert found.dtype == torch.float32
    assert found.is_contiguous(memory_format=torch.channels_last)
    for picture, row, ours in zip(given, draws, found, strict=True):
        resized = kind == "resized_crop_color"
        slow = resized_by_torchvision(picture, row) if resized else as_floats(crop_by_pil(picture, row))
        if kind != "crop_flip":
            colors = row[COLOR].double().tolist()
            slow = jitter_by_torchvision(slow, colors)
            slow = TF.rgb_to_grayscale(slow, 3) if colors[6] < 0.2 else slow
        expected = TF.normalize(slow, list(HALF), [0.5, 0.4, 0.3])
        torch.testing.assert_close(ours.double(), expected, rtol=0, atol=2e-6 if kind == "crop_flip" else 1e-2)


@pytest.mark.parametrize("kind", ["crop_flip", "crop_flip_color", "resized_crop_color"])
def test_a_view_does_not_depend_on_the_rest_of_the_batch(kind: str) -> None:
    given, draws = pictures(9), numbers(9)
    before = given.clone()
    together = augmented(given, draws, kind, HALF, HALF)  # type: ignore[arg-type]
    for row in range(9):
        one = slice(row, row + 1)
        assert torch.equal(augmented(given[one], draws[one], kind, HALF, HALF)[0], together[row])  # type: ignore[arg-type]
    assert torch.equal(given, before)
    other = augmented(given, numbers(9, 1), kind, HALF, HALF)  # type: ignore[arg-type]
    assert all(not torch.equal(a, b) for a, b in zip(together[3:], other[3:], strict=True))


def test_half_of_the_pictures_are_mirrored() -> None:
    given = torch.zeros(1000, 8, 8, 3, dtype=torch.uint8)
    given[:, :, 4:] = 255
    found = crop_flip(given, numbers(1000), padding=0)
    mirrored = found[:, 0, 0, 0] == 255
    assert 440 < int(mirrored.sum()) < 560
    assert (found[mirrored][:, :, :4] == 255).all()


def test_standardising_is_torchvisions() -> None:
    given = pictures(6)
    found = standardized(given, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    expected = TF.normalize(given.movedim(-1, 1) / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-6)
    assert found.is_contiguous(memory_format=torch.channels_last)
