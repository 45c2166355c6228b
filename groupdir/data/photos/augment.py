"""Random views of a batch of photographs, computed from bytes on their device, for all pictures in one call.

A view is a function of the picture and of a row of uniform random numbers that belongs to the sample. For each epoch,
the trainer draws an array with one row per sample on the CPU, from the seed of the trial and the number of the epoch,
and indexes it by sample. So a view does not depend on the order and size of batches, on the point of a resume, or on
the device. The array costs one draw and one copy to the device per epoch (80 bytes per sample). A hash of (seed, epoch,
sample) would avoid this cost, but would need our own integer generator that gives the same numbers on every device.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from groupdir.config.datasets import Augmentation
from groupdir.data.photos.buffers import Buffers
from groupdir.data.photos.colors import jitter, to_grey
from groupdir.data.photos.draws import COLOR, CORNER, FLIP, SHAPES, TRIES
from groupdir.data.transfer import constant

PADDING = 16  # pixels of crop_flip
AT_ONCE = 8  # pictures per chunk on a CPU: a chunk stays in its cache, which makes colours 3 times faster
_AREA, _RATIO = (0.2, 1.0), (3 / 4, 4 / 3)

_BUFFERS = Buffers()


def augmented(
    pictures: Tensor, draws: Tensor, kind: Augmentation, mean: tuple[float, ...], std: tuple[float, ...]
) -> Tensor:
    """Return a random view of each picture as input of the encoder.

    The augmentations are:

    - `crop_flip`: the published recipe for fine-tuning. A random crop of the picture padded by 16 black pixels, and a
      horizontal flip with probability 0.5.
    - `resized_crop_color`: the recipe of the two views of Rank-N-Contrast. A random part of 0.2 to 1 of the area,
      resized to the size of the picture, a flip, colours jittered with probability 0.8, and grey with probability 0.2.
    - `crop_flip_color`: the crop and flip of the first with the colours of the second, as in the views of ConR and of
      the authors' code.

    Args:
        pictures: Pictures `(B, H, W, 3)` uint8.
        draws: Random numbers `(B, DRAWS)` float32 in [0, 1), on the same device.
        kind: Name of the augmentation.
        mean: Mean of each channel in 0..1, which is subtracted.
        std: Standard deviation of each channel, by which the difference is divided.

    Returns:
        Views `(B, 3, H, W)` float32, channels last in memory.

    Source: Yang et al. 2021 (`crop_flip`); Zha et al. 2023 (the others).

    Differences from the source: parts are cut from the resized picture, not from the original file. No value is rounded
    between the steps. The shape of a part is drawn up to 5 times, not 10, before the whole picture is used.
    """
    if pictures.device.type != "cpu":
        return _views(pictures, draws, kind, mean, std)
    views = _BUFFERS.empty(tuple(pictures.shape)).movedim(-1, 1)
    chunks = max(1, len(pictures) // AT_ONCE)  # a remainder joins the last: torch rounds a single picture otherwise
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
    floats = to_grey(jitter(floats, draws[:, COLOR]), draws[:, COLOR])
    center, scale = (constant(values, floats.device)[:, None, None] for values in (mean, std))
    return floats.sub_(center).div_(scale).contiguous(memory_format=torch.channels_last)


def standardized(pictures: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Return pictures `(B, H, W, C)` uint8 as `(B, C, H, W)` float32, (x / 255 - mean) / std, in the same memory order.

    The product is over whole lines of a picture. With only three channels at a time, a CPU takes three times as long.
    """
    _, _, width, _ = pictures.shape
    scale = constant(tuple(1 / (255 * s) for s in std), pictures.device).repeat(width)
    shift = constant(tuple(m / s for m, s in zip(mean, std, strict=True)), pictures.device).repeat(width)
    return pictures.flatten(2).float().mul_(scale).sub_(shift).view(pictures.shape).movedim(-1, 1)


def crop_flip(pictures: Tensor, draws: Tensor, padding: int = PADDING) -> Tensor:
    """Move pictures `(B, H, W, C)` uint8 by up to `padding` pixels in both directions, and mirror each with chance 0.5.

    Each line of a crop is a contiguous run of bytes of the padded batch, so one index per line is enough.
    """
    size, height, width, channels = pictures.shape
    top, start = _whole(draws[:, CORNER], 2 * padding + 1).unbind(1)
    padded = F.pad(pictures, (0, 0, padding, padding, padding, padding))
    line = torch.arange(size, device=pictures.device)[:, None] * padded.shape[1] + top[:, None]
    line = line + torch.arange(height, device=pictures.device)
    runs = padded.flatten().unfold(0, width * channels, channels)
    moved = runs[line * padded.shape[2] + start[:, None]].view(size, height, width, channels)
    mirrored = _flipped(draws).to(torch.uint8).neg()[:, None, None, None]  # all bits of a byte, or none
    return (moved.flip(2) ^ moved).bitwise_and_(mirrored).bitwise_xor_(moved)  # 4 times faster than torch.where


def resized_crop_flip(pictures: Tensor, draws: Tensor) -> Tensor:
    """Resize a random part of each picture `(B, H, W, C)` uint8 to the full size: `(B, C, H, W)` float32 in 0..1.

    A part is never larger than the picture, so plain bilinear interpolation equals antialiased interpolation. Pixels
    outside the part have no influence.
    """
    _, height, width, _ = pictures.shape
    top, start, tall, wide = _parts(draws, height, width)
    y = _sources(top, tall, height)
    x = _sources(start, wide, width)
    x = torch.where(_flipped(draws)[:, None], x.flip(1), x)
    grid = torch.stack([x[:, None, :].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], dim=-1)
    floats = standardized(pictures, (0.0,) * pictures.shape[3], (1.0,) * pictures.shape[3])
    return F.grid_sample(floats, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _parts(draws: Tensor, height: int, width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return top, left, height and width `(B,)` int64 of the first drawn part that fits, or of the whole picture."""
    area, ratio = draws[:, SHAPES].double().reshape(-1, TRIES, 2).unbind(2)
    area = (_AREA[0] + (_AREA[1] - _AREA[0]) * area) * height * width
    ratio = torch.exp(math.log(_RATIO[0]) + math.log(_RATIO[1] / _RATIO[0]) * ratio)
    tall, wide = (area / ratio).sqrt().round().long(), (area * ratio).sqrt().round().long()
    fits = (tall <= height) & (wide <= width)
    first, any_fits = fits.int().argmax(1, keepdim=True), fits.any(1)
    tall = torch.where(any_fits, tall.gather(1, first)[:, 0], height)
    wide = torch.where(any_fits, wide.gather(1, first)[:, 0], width)
    corner = draws[:, CORNER]
    return _whole(corner[:, 0], height - tall + 1), _whole(corner[:, 1], width - wide + 1), tall, wide


def _sources(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Return the source coordinates `(B, size)` of the `size` pixels of an axis, in the units of `grid_sample`."""
    at = (torch.arange(size, device=start.device) + 0.5) * (length[:, None] / size) - 0.5
    inside = torch.minimum(at.clamp(min=0), (length[:, None] - 1).float())
    return (2 * (inside + start[:, None]) + 1) / size - 1


def _whole(draws: Tensor, count: int | Tensor) -> Tensor:
    """Convert random numbers in [0, 1) to whole numbers in [0, count), int64."""
    number = (draws * count).long()  # a product with a number just below 1 may be rounded up to count
    return torch.minimum(number, count - 1) if isinstance(count, Tensor) else number.clamp(max=count - 1)


def _flipped(draws: Tensor) -> Tensor:
    return draws[:, FLIP] < 0.5
