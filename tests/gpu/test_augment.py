"""Random views of photographs and of drawn pictures on a device against those of the CPU, pixel by pixel."""

from typing import get_args

import pytest
import torch
from torch import Tensor

from groupdir.config.datasets import Augmentation
from groupdir.data.photos.augment import augmented, standardized
from groupdir.data.photos.draws import DRAWS
from groupdir.data.pictures import shift_noise
from tests.gpu.devices import each_device

KINDS = [kind for kind in get_args(Augmentation) if kind != "none"]
LEVEL = 1 / 255
SAME = 0.01 * LEVEL  # of a value in 0..1: a crop moves bytes, and only the scaling rounds
RESIZED = 0.1 * LEVEL  # interpolation and colours round in float32. Rotating the hue divides by the spread of a pixel
JUMPS = 2e-5  # share of pixels that may differ more: the hue of a nearly grey pixel depends on its last bit
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def photographs(count: int, size: int) -> Tensor:
    """Return smooth colours with noise, and a grey, a black and a white picture."""
    generator = torch.Generator().manual_seed(0)
    rough = torch.rand(count, 3, 6, 6, generator=generator)
    smooth = torch.nn.functional.interpolate(rough, (size, size), mode="bicubic").clamp(0, 1)
    pictures = (255 * smooth + 8 * torch.rand(smooth.shape, generator=generator)).clamp(0, 255).to(torch.uint8)
    pictures[0], pictures[1], pictures[2] = pictures[0, :1], 0, 255
    return pictures.movedim(1, -1).contiguous()


@each_device
@pytest.mark.parametrize("kind", KINDS)
def test_every_pixel_is_that_of_the_cpu(kind: Augmentation, device: str) -> None:
    """The CPU is compared with itself in batches of other sizes, which it computes by other vector instructions."""
    count, size = (20, 48) if device == "cpu" else (256, 224)
    pictures = photographs(count, size)
    draws = torch.rand(count, DRAWS, generator=torch.Generator().manual_seed(1))
    expected = augmented(pictures, draws, kind, (0.0,) * 3, (1.0,) * 3)
    parts = [3, count - 3] if device == "cpu" else [count]
    given = zip(pictures.split(parts), draws.split(parts), strict=True)
    views = [augmented(part.to(device), some.to(device), kind, (0.0,) * 3, (1.0,) * 3) for part, some in given]
    assert all(view.device.type == device for view in views)
    assert all(view.is_contiguous(memory_format=torch.channels_last) for view in views)
    difference = (torch.cat([view.cpu() for view in views]) - expected).abs()
    bound = SAME if kind == "crop_flip" else RESIZED
    far = (difference > bound).float().mean().item()
    assert far <= (0 if kind == "crop_flip" else JUMPS), (
        f"{far:.2g} of the pixels, at most {difference.max() / LEVEL:.3g}/255"
    )


@each_device
def test_pictures_as_they_are(device: str) -> None:
    pictures = photographs(8, 32)
    given = standardized(pictures.to(device), MEAN, STD)
    expected = (pictures.movedim(-1, 1).double() / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[
        :, None, None
    ]
    assert given.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(given.cpu().double(), expected, rtol=0, atol=0.01 * LEVEL / min(STD))


@each_device
def test_a_step_of_two_views_has_the_same_random_numbers(device: str) -> None:
    pictures = photographs(16, 32).movedim(-1, 1).float() / 255
    view, expected = (shift_noise(given, torch.Generator().manual_seed(2)) for given in (pictures.to(device), pictures))
    torch.testing.assert_close(view.cpu(), expected, rtol=0, atol=SAME)
