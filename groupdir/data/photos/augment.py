"""Random views of a batch of photographs, made of bytes on their device, all pictures in one call.

What is random about a view is a row of uniform numbers that belongs to the sample. The trainer draws a table of them
for all samples of an epoch, on the CPU, from the trial's seed and the epoch alone, and takes its rows by the samples'
indices: a view is the same whatever the order and size of batches, wherever a resume begins, and on every device. A
table is one draw and one copy to the device an epoch (80 bytes a sample); a hash of (seed, epoch, sample) would save
that, and cost an integer generator of our own that has to be the same on every device.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from groupdir.config.datasets import Augmentation
from groupdir.data.photos.buffers import Buffers
from groupdir.data.photos.colors import COLOR_DRAWS, jitter, to_grey
from groupdir.data.transfer import constant

PADDING = 16  # pixels of crop_flip
AT_ONCE = 8  # pictures between two steps on a CPU: they stay in its cache, which makes colours 3 times faster
TRIES = 5  # of resized_crop
_AREA, _RATIO = (0.2, 1.0), (3 / 4, 4 / 3)
_CORNER, _SHAPES, _FLIP = slice(0, 2), slice(2, 2 + 2 * TRIES), 2 + 2 * TRIES  # columns of a row of numbers
_COLOR = slice(_FLIP + 1, _FLIP + 1 + COLOR_DRAWS)

_BUFFERS = Buffers()

DRAWS = _COLOR.stop
"""Numbers in [0, 1) that a view of one picture takes, whatever the augmentation."""


def augmented(
    pictures: Tensor, draws: Tensor, kind: Augmentation, mean: tuple[float, ...], std: tuple[float, ...]
) -> Tensor:
    """One random view of each picture, as the encoder is given it.

    `crop_flip` is the published recipe of the fine-tuning: a random crop of a picture padded by 16 black pixels, and a
    horizontal flip of every other one. `resized_crop_color` is that of Rank-N-Contrast's two views: a random part of
    0.2 to 1 of the picture made as large as the whole, a flip, colours jittered in 0.8 of the pictures, and 0.2 of them
    grey. `crop_flip_color` is the first crop with the second's colours, as for ConR's and the authors' views.

    Args:
        pictures: `(B, H, W, 3)` uint8.
        draws: `(B, DRAWS)` float32 in [0, 1), on the same device.
        kind: Which.
        mean: Taken from each channel of 0..1.
        std: What it is then divided by.

    Returns:
        `(B, 3, H, W)` float32, channels last in memory.

    Source: Yang et al. 2021 (`crop_flip`); Zha et al. 2023 (the others).

    Differences from the source: parts are cut from the picture that is resized already, not from the file's; no value
    is rounded between the steps; a part that does not fit is drawn again 5 times, not 10, before the whole is taken.
    """
    if pictures.device.type != "cpu":
        return _views(pictures, draws, kind, mean, std)
    views = _BUFFERS.empty(tuple(pictures.shape)).movedim(-1, 1)
    chunks = max(1, len(pictures) // AT_ONCE)  # a rest goes with the last: torch rounds a single picture otherwise
    for chunk in range(chunks):
        rows = slice(chunk * AT_ONCE, len(pictures) if chunk == chunks - 1 else (chunk + 1) * AT_ONCE)
        views[rows] = _views(pictures[rows], draws[rows], kind, mean, std)
    return views


def _views(
    pictures: Tensor, draws: Tensor, kind: Augmentation, mean: tuple[float, ...], std: tuple[float, ...]
) -> Tensor:
    if kind == "crop_flip":
        return standardized(crop_flip(pictures, draws), mean, std)
    if kind == "crop_flip_color":
        floats = standardized(crop_flip(pictures, draws), (0.0,) * 3, (1.0,) * 3)
    else:
        floats = resized_crop_flip(pictures, draws)
    floats = to_grey(jitter(floats, draws[:, _COLOR]), draws[:, _COLOR])
    center, scale = (constant(values, floats.device)[:, None, None] for values in (mean, std))
    return floats.sub_(center).div_(scale).contiguous(memory_format=torch.channels_last)


def standardized(pictures: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """`(B, C, H, W)` float32, (x / 255 - mean) / std of pictures `(B, H, W, C)` uint8, whose memory order it keeps.

    By whole lines of a picture: a product with three channels at a time takes a CPU three times as long.
    """
    _, _, width, _ = pictures.shape
    scale = constant(tuple(1 / (255 * s) for s in std), pictures.device).repeat(width)
    shift = constant(tuple(m / s for m, s in zip(mean, std, strict=True)), pictures.device).repeat(width)
    return pictures.flatten(2).float().mul_(scale).sub_(shift).view(pictures.shape).movedim(-1, 1)


def crop_flip(pictures: Tensor, draws: Tensor, padding: int = PADDING) -> Tensor:
    """Pictures `(B, H, W, C)` uint8, moved by up to `padding` pixels in both directions; every other one is mirrored.

    Each line of a crop is one run of bytes of the padded batch, so that an index is needed for each line alone.
    """
    size, height, width, channels = pictures.shape
    top, left = _whole(draws[:, _CORNER], 2 * padding + 1).unbind(1)
    padded = F.pad(pictures, (0, 0, padding, padding, padding, padding))
    line = torch.arange(size, device=pictures.device)[:, None] * padded.shape[1] + top[:, None]
    line = line + torch.arange(height, device=pictures.device)
    runs = padded.flatten().unfold(0, width * channels, channels)
    moved = runs[line * padded.shape[2] + left[:, None]].view(size, height, width, channels)
    mirrored = _flipped(draws).to(torch.uint8).neg()[:, None, None, None]  # all bits of a byte, or none
    return (moved.flip(2) ^ moved).bitwise_and_(mirrored).bitwise_xor_(moved)  # 4 times faster than torch.where


def resized_crop_flip(pictures: Tensor, draws: Tensor) -> Tensor:
    """A random part of each picture `(B, H, W, C)` uint8, made as large as the whole: `(B, C, H, W)` float32 in 0..1.

    A part is never larger than the picture, so that plain bilinear interpolation is also what an antialiased one gives.
    Pixels beyond the part's edge are not looked at.
    """
    _, height, width, _ = pictures.shape
    top, left, tall, wide = _parts(draws, height, width)
    y = _sources(top, tall, height)
    x = _sources(left, wide, width)
    x = torch.where(_flipped(draws)[:, None], x.flip(1), x)
    grid = torch.stack([x[:, None, :].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], dim=-1)
    floats = standardized(pictures, (0.0,) * pictures.shape[3], (1.0,) * pictures.shape[3])
    return F.grid_sample(floats, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _parts(draws: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Top, left, height and width `(B,)` int64 of the first of the tries that fits, or the whole picture."""
    area, ratio = draws[:, _SHAPES].double().reshape(-1, TRIES, 2).unbind(2)
    area = (_AREA[0] + (_AREA[1] - _AREA[0]) * area) * height * width
    ratio = torch.exp(math.log(_RATIO[0]) + math.log(_RATIO[1] / _RATIO[0]) * ratio)
    tall, wide = (area / ratio).sqrt().round().long(), (area * ratio).sqrt().round().long()
    fits = (tall <= height) & (wide <= width)
    first, any_fits = fits.int().argmax(1, keepdim=True), fits.any(1)
    tall = torch.where(any_fits, tall.gather(1, first)[:, 0], height)
    wide = torch.where(any_fits, wide.gather(1, first)[:, 0], width)
    corner = draws[:, _CORNER]
    return _whole(corner[:, 0], height - tall + 1), _whole(corner[:, 1], width - wide + 1), tall, wide


def _sources(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Where the `size` pixels of an axis come from, `(B, size)`, in the units of `grid_sample`."""
    at = (torch.arange(size, device=start.device) + 0.5) * (length[:, None] / size) - 0.5
    inside = torch.minimum(at.clamp(min=0), (length[:, None] - 1).float())
    return (2 * (inside + start[:, None]) + 1) / size - 1


def _whole(draws: Tensor, count: int | Tensor) -> Tensor:
    """Whole numbers in [0, count), int64; a number just below 1 times the count may be rounded up to it."""
    found = (draws * count).long()
    return torch.minimum(found, count - 1) if isinstance(count, Tensor) else found.clamp(max=count - 1)


def _flipped(draws: Tensor) -> Tensor:
    return draws[:, _FLIP] < 0.5
