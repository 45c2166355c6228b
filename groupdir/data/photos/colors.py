"""Random colours of a batch: jitter of brightness, contrast, saturation and hue, and conversion to grey."""

from __future__ import annotations

from itertools import permutations

import torch
from torch import Tensor

from groupdir.data.transfer import constant

_JITTERED, _GREY = 0.8, 0.2  # shares of the pictures
_BLEND, _TURN = 0.4, 0.1  # largest change of a factor, and of the hue in turns
_IF, _ORDER, _FACTORS, _HUE, _IF_GREY = 0, 1, slice(2, 5), 5, 6  # columns of the random numbers
_BRIGHTNESS, _CONTRAST, _SATURATION = range(3)
_ORDERS = tuple(permutations((_BRIGHTNESS, _CONTRAST, _SATURATION)))
_LUMA = (0.299, 0.587, 0.114)


def jitter(pictures: Tensor, draws: Tensor) -> Tensor:
    """Change the colours of pictures, each with probability 0.8.

    A changed picture gets random factors in [0.6, 1.4] for brightness, contrast and saturation, and a rotation of the
    hue by up to 0.1 turns. All 24 orders of these four steps are equally likely.

    The rotation of the hue is the slowest step, so it is computed once for the batch, between two rounds of three
    blends. A picture with k blends before the hue uses the factor 1, which changes nothing, for the other 3 - k blends
    of the first round and for k blends of the second.

    Args:
        pictures: Pictures `(B, 3, H, W)` in 0..1.
        draws: Random numbers `(B, COLOR_DRAWS)` in [0, 1).

    Source: torchvision's `ColorJitter(0.4, 0.4, 0.4, 0.1)`, applied with probability 0.8 (Zha et al. 2023).
    """
    on = draws[:, _IF] < _JITTERED
    code = (draws[:, _ORDER] * 4 * len(_ORDERS)).long().clamp(max=4 * len(_ORDERS) - 1)
    order = constant(_ORDERS, draws.device)[code // 4]  # (B, 3) the blend at each place
    before_hue = code % 4  # number of blends before the hue
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
    """Convert pictures `(B, 3, H, W)` to grey, each with probability 0.2."""
    chosen = (draws[:, _IF_GREY] < _GREY)[:, None, None, None]
    return torch.where(chosen, _luma(pictures), pictures)


def _blend(pictures: Tensor, kind: Tensor, factor: Tensor) -> Tensor:
    """Interpolate between a reference (factor 0) and the picture (factor 1).

    The reference depends on `kind` `(B,)`: black for brightness, the mean grey for contrast, and the grey picture for
    saturation.
    """
    kind, factor = kind[:, None, None, None], factor[:, None, None, None]
    grey = _luma(pictures)
    other = torch.where(kind == _SATURATION, grey, (kind == _CONTRAST) * grey.mean((2, 3), keepdim=True))
    return (pictures * factor).add_(other * (1 - factor)).clamp_(0, 1)


def _luma(pictures: Tensor) -> Tensor:
    """Return the grey picture `(B, 1, H, W)`."""
    red, green, blue = pictures.unbind(1)
    return (_LUMA[0] * red).add_(green, alpha=_LUMA[1]).add_(blue, alpha=_LUMA[2])[:, None]


def _turned(pictures: Tensor, turn: Tensor) -> Tensor:
    """Rotate the hue of pictures by a fraction of a turn `(B,)`, by way of hue, saturation and value.

    Let v be the largest channel, c the difference between the largest and the smallest, and h the hue in sixths of a
    turn. Then a channel is v - c max(0, min(k, 4 - k, 1)) for k = (n + h) mod 6 and n = 5, 3, 1 (red, green, blue).
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
    rotated = torch.stack(channels, dim=1)
    return torch.where((turn == 0)[:, None, None, None], pictures, rotated)
