"""Random colours of a batch: brightness, contrast, saturation and hue jittered, and some pictures made grey."""

from __future__ import annotations

from itertools import permutations

import torch
from torch import Tensor

from groupdir.data.transfer import constant

COLOR_DRAWS = 7
"""Numbers in [0, 1) that they take of each picture: whether and in which order, four amounts, and whether grey."""

_JITTERED, _GREY = 0.8, 0.2  # shares of the pictures
_BLEND, _TURN = 0.4, 0.1  # largest change of a factor; of the hue, in turns
_IF, _ORDER, _FACTORS, _HUE, _IF_GREY = 0, 1, slice(2, 5), 5, 6  # columns
_BRIGHTNESS, _CONTRAST, _SATURATION = range(3)
_ORDERS = tuple(permutations((_BRIGHTNESS, _CONTRAST, _SATURATION)))
_LUMA = (0.299, 0.587, 0.114)


def jitter(pictures: Tensor, draws: Tensor) -> Tensor:
    """Pictures `(B, 3, H, W)` in 0..1 with their colours changed, 0.8 of them.

    Each gets a factor in [0.6, 1.4] for brightness, contrast and saturation, and a turn of up to 0.1 of its hue, in an
    order of its own, all 24 equally likely. That is three blends, of which 0 to 3 come before the hue, whose arithmetic
    is the dearest: so there are three blends, the hue, and three blends, and a blend by the factor 1 changes nothing.

    Args:
        pictures: The batch.
        draws: `(B, COLOR_DRAWS)` in [0, 1).

    Source: torchvision's `ColorJitter(0.4, 0.4, 0.4, 0.1)`, applied with probability 0.8 (Zha et al. 2023).
    """
    on = draws[:, _IF] < _JITTERED
    code = (draws[:, _ORDER] * 4 * len(_ORDERS)).long().clamp(max=4 * len(_ORDERS) - 1)
    order = constant(_ORDERS, draws.device)[code // 4]  # (B, 3) which blend has the place
    before_hue = code % 4  # how many of the places
    factor = (1 + _BLEND * (2 * draws[:, _FACTORS] - 1)).gather(1, order)
    turn = torch.where(on, _TURN * (2 * draws[:, _HUE] - 1), 0)
    for first_half in (True, False):
        for place in range(3):
            now = on & ((place < before_hue) == first_half)
            pictures = _blend(pictures, order[:, place], torch.where(now, factor[:, place], 1))
        if first_half:
            pictures = _turned(pictures, turn)
    return pictures


def to_grey(pictures: Tensor, draws: Tensor) -> Tensor:
    """Pictures `(B, 3, H, W)`, 0.2 of which have lost their colours."""
    chosen = (draws[:, _IF_GREY] < _GREY)[:, None, None, None]
    return torch.where(chosen, _luma(pictures), pictures)


def _blend(pictures: Tensor, kind: Tensor, factor: Tensor) -> Tensor:
    """Between the picture (factor 1) and black, its mean grey, or its grey (factor 0), as `kind` `(B,)` says."""
    kind, factor = kind[:, None, None, None], factor[:, None, None, None]
    grey = _luma(pictures)
    other = torch.where(kind == _SATURATION, grey, (kind == _CONTRAST) * grey.mean((2, 3), keepdim=True))
    return (pictures * factor).add_(other * (1 - factor)).clamp_(0, 1)


def _luma(pictures: Tensor) -> Tensor:
    """`(B, 1, H, W)`."""
    red, green, blue = pictures.unbind(1)
    return (_LUMA[0] * red).add_(green, alpha=_LUMA[1]).add_(blue, alpha=_LUMA[2])[:, None]


def _turned(pictures: Tensor, turn: Tensor) -> Tensor:
    """Pictures with their hue moved by a part of a turn `(B,)`, through hue, saturation and value.

    With the largest channel v, the spread c between largest and smallest and the hue h in sixths of a turn, a channel
    is v - c max(0, min(k, 4 - k, 1)) for k = (n + h) mod 6 and n = 5, 3, 1 (red, green, blue).
    """
    red, green, blue = pictures.unbind(1)
    value, spread = pictures.amax(1), pictures.amax(1) - pictures.amin(1)
    safe = torch.where(spread == 0, 1, spread)
    hue = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    hue = hue + 6 * turn[:, None, None]
    channels = []
    for number in (5, 3, 1):
        k = (hue + number).remainder_(6)
        channels.append(value - spread * torch.minimum(k, 4 - k).clamp_(0, 1))
    found = torch.stack(channels, dim=1)
    return torch.where((turn == 0)[:, None, None, None], pictures, found)
