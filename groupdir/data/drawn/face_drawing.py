"""Drawing of faces as soft shapes on a grid, from signs of age and features of the person."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]
Shade = Array | float

_AT_ONCE = 512  # pictures in memory while they are drawn


@dataclass(frozen=True)
class Signs:
    """Progress of each sign of age in N faces: arrays `(N,)` from 0 (not begun) to 1 (complete).

    Attributes:
        growth: Growth in childhood, from a round head with large, low eyes and little hair to the head of an adult.
        jaw: Growth in youth: a longer chin, a wider jaw and stronger brows.
        wrinkles: Wrinkles on the forehead, next to the eyes, and from nose to mouth.
        grey: Greying of hair and brows.
        sag: Sagging: lids, mouth and cheeks drop, bags form under the eyes, and the hairline recedes.
    """

    growth: Array
    jaw: Array
    wrinkles: Array
    grey: Array
    sag: Array


@dataclass(frozen=True)
class Persons:
    """Features of N people and of their pictures: arrays `(N,)` that do not depend on the age.

    Attributes:
        width: Relative width of the face, about 1.
        skin: Brightness of the skin, 0..1.
        hair: Brightness of the hair before it turns grey, 0..1.
        length: Length of the hair at the sides of the face, 0..1.
        eyes: Relative distance of the eyes, about 1.
        mouth: Relative width of the mouth, about 1.
        smile: Smile, -1..1.
        shirt: Brightness of the clothes, 0..1.
        wall: Brightness of the background, 0..1.
        light: Direction of the light, from -1 (left) to 1 (right).
        tilt: Tilt of the head, in radians.
        scale: Relative size of the head, about 1.
        right: Shift of the head to the right, in half widths of the picture.
        down: Shift of the head downwards, in half widths of the picture.
    """

    width: Array
    skin: Array
    hair: Array
    length: Array
    eyes: Array
    mouth: Array
    smile: Array
    shirt: Array
    wall: Array
    light: Array
    tilt: Array
    scale: Array
    right: Array
    down: Array

    @classmethod
    def draw(cls, count: int, rng: np.random.Generator) -> Self:
        """Return `count` random people."""
        spread = {
            "width": (0.93, 1.07),
            "skin": (0.55, 0.86),
            "hair": (0.05, 0.42),
            "length": (0.0, 1.0),
            "eyes": (0.93, 1.07),
            "mouth": (0.85, 1.15),
            "smile": (-0.4, 1.0),
            "shirt": (0.1, 0.9),
            "wall": (0.25, 0.95),
            "light": (-1.0, 1.0),
            "tilt": (-0.12, 0.12),
            "scale": (0.94, 1.06),
            "right": (-0.06, 0.06),
            "down": (-0.06, 0.06),
        }
        return cls(**{name: rng.uniform(*ends, count).astype(np.float32) for name, ends in spread.items()})


_Rows = TypeVar("_Rows", Signs, Persons)


def draw_faces(signs: Signs, persons: Persons, size: int) -> Array:
    """Return grey pictures `(N, size, size)`, float32, 0..1, without noise.

    All shapes are formulas, so a picture can have any size. The data set uses 32 pixels.
    """
    count = len(signs.grey)
    pictures = np.empty((count, size, size), dtype=np.float32)
    for start in range(0, count, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        pictures[part] = _portraits(_columns(signs, part), _columns(persons, part), size)
    return pictures


def _columns(record: _Rows, part: slice) -> _Rows:
    """Return some rows, with values of shape `(n, 1, 1)` that broadcast with pictures `(n, size, size)`."""
    return type(record)(**{field.name: getattr(record, field.name)[part, None, None] for field in fields(record)})


class _Canvas:
    """Pictures that are being painted, in face coordinates.

    x points right and y points down. The origin is between the eyes of an adult, and the unit is half a picture.
    """

    def __init__(self, person: Persons, shrink: Array, size: int) -> None:
        across = ((2 * np.arange(size) + 1) / size - 1).astype(np.float32)
        right, down = across[None, None, :] - person.right, across[None, :, None] - person.down
        cos, sin = np.cos(person.tilt) / shrink, np.sin(person.tilt) / shrink
        self.x: Array = cos * right + sin * down
        self.y: Array = cos * down - sin * right
        self.side: Array = np.abs(self.x)
        self.pixel = 2 / size
        self.picture: Array = person.wall * (1 - 0.12 * np.abs(down)) + np.zeros_like(self.x)

    def ellipse(self, x: Shade, y: Shade, wide: Shade, high: Shade, *, both: bool = False) -> Array:
        """Return the share of each pixel, 0..1, that is inside an ellipse with the given centre and half widths.

        With `both`, there are two ellipses, at x and -x.
        """
        across = self.side if both else self.x
        far = np.sqrt(((across - x) / wide) ** 2 + ((self.y - y) / high) ** 2)
        inside: Array = np.clip((1 - far) * np.minimum(wide, high) / self.pixel + 0.5, 0, 1).astype(np.float32)
        return inside

    def above(self, y: Shade, fade: float = 0.0) -> Array:
        """Return the share of each pixel that lies above a height. The edge fades over `fade`, at least a pixel."""
        share: Array = np.clip((y - self.y) / max(fade, self.pixel) + 0.5, 0, 1).astype(np.float32)
        return share

    def within(self, x: Shade, fade: float = 0.0) -> Array:
        """Return the share of each pixel that lies within distance x of the vertical middle line."""
        share: Array = np.clip((x - self.side) / max(fade, self.pixel) + 0.5, 0, 1).astype(np.float32)
        return share

    def stroke(self, far: Array, thick: Shade) -> Array:
        """Return a soft line where `far` is 0. A line below two thirds of a pixel is drawn wider but fainter."""
        width = np.maximum(thick, 0.66 * self.pixel)
        drawn: Array = (np.exp(-((far / width) ** 2)) * thick / width).astype(np.float32)
        return drawn

    def paint(self, mask: Array, shade: Shade) -> None:
        """Paint a shade over the pixels of a mask."""
        self.picture += mask * (shade - self.picture)

    def darken(self, mask: Array) -> None:
        """Darken the pixels by the share in a mask."""
        self.picture *= 1 - mask


@dataclass(frozen=True)
class _Plan:
    """Positions of the parts of n faces: heights and half widths `(n, 1, 1)` in face coordinates, and hair shades."""

    eye: Array
    nose: Array
    mouth: Array
    chin: Array
    half: Array
    apart: Array
    hair: Array

    @classmethod
    def of(cls, sign: Signs, person: Persons) -> Self:
        eye = 0.13 * (1 - sign.growth)
        chin = 0.50 + 0.08 * sign.growth + 0.15 * sign.jaw
        nose = eye + 0.16 + 0.11 * sign.growth + 0.03 * sign.jaw
        return cls(
            eye=eye,
            nose=nose,
            mouth=nose + 0.46 * (chin - nose),
            chin=chin,
            half=0.49 * person.width * (1 + 0.03 * (1 - sign.growth)),
            apart=0.205 * person.eyes,
            hair=person.hair + (0.88 - person.hair) * sign.grey,
        )


def _portraits(sign: Signs, person: Persons, size: int) -> Array:
    canvas = _Canvas(person, person.scale * (0.74 + 0.20 * sign.growth + 0.06 * sign.jaw), size)
    plan = _Plan.of(sign, person)
    _paint_behind(canvas, plan, sign, person)
    _paint_head(canvas, plan, sign, person)
    _paint_eyes(canvas, plan, sign, person)
    _paint_nose_and_mouth(canvas, plan, sign, person)
    _paint_lines(canvas, plan, sign)
    _paint_hair(canvas, plan, sign)
    return np.clip(canvas.picture, 0, 1)


def _paint_behind(canvas: _Canvas, plan: _Plan, sign: Signs, person: Persons) -> None:
    """Paint the hair behind the face, the neck and the clothes."""
    full = np.minimum(1, 1.8 * sign.growth)
    back = canvas.ellipse(0, -0.14, plan.half + 0.09 * full, 0.50 + 0.10 * full)
    falls = canvas.within(plan.half + 0.06, 0.1) * canvas.above(-0.1 + 0.9 * person.length * full, 0.15)
    canvas.paint(np.maximum(back, falls * (1 - canvas.above(-0.15))) * full, plan.hair * 0.9)
    neck = canvas.within(0.20 + 0.06 * sign.jaw) * (1 - canvas.above(0.3))
    canvas.paint(neck, person.skin * 0.78)
    canvas.paint(canvas.ellipse(0, plan.chin + 0.75, 0.85 + 0.1 * sign.jaw, 0.58), person.shirt)


def _paint_head(canvas: _Canvas, plan: _Plan, sign: Signs, person: Persons) -> None:
    """Paint ears, skull, jaw and sagging, hollow cheeks, with light."""
    ears = canvas.ellipse(plan.half + 0.02, plan.eye + 0.10, 0.06, 0.12 + 0.04 * sign.sag, both=True)
    canvas.paint(ears, person.skin * 0.85)
    skull = canvas.ellipse(0, -0.14, plan.half, 0.50)
    face = canvas.ellipse(0, 0.02, plan.half * (0.96 - 0.03 * sign.growth + 0.03 * sign.jaw), plan.chin - 0.02)
    jaw = canvas.ellipse(0, plan.chin - 0.22, 0.27 + 0.09 * sign.jaw, 0.22)
    jowls = canvas.ellipse(0.24, plan.chin - 0.20, 0.12 + 0.07 * sign.sag, 0.15 + 0.05 * sign.sag, both=True)
    head = np.maximum(np.maximum(skull, face), np.maximum(jaw, jowls))
    sides = 1 - 0.22 * (canvas.x / plan.half) ** 2 - 0.10 * np.clip(canvas.y - 0.2, 0, 1)
    canvas.paint(head, person.skin * sides * (1 + 0.14 * person.light * canvas.x))
    hollow = np.exp(-(((canvas.side - 0.30) / 0.12) ** 2) - ((canvas.y - plan.nose - 0.08) / 0.20) ** 2)
    canvas.darken(0.42 * sign.sag * hollow * head)


def _paint_eyes(canvas: _Canvas, plan: _Plan, sign: Signs, person: Persons) -> None:
    """Paint eyes with dropping lids, and brows."""
    wide, high = 0.115 - 0.015 * sign.growth, 0.085 - 0.030 * sign.growth
    white = canvas.ellipse(plan.apart, plan.eye, wide, high, both=True)
    canvas.paint(white, 0.93)
    iris = canvas.ellipse(plan.apart, plan.eye, 0.055, 0.062, both=True)
    canvas.paint(iris * white, 0.10)
    lid = plan.eye - high * (1 - 1.1 * sign.sag)
    canvas.paint(white * canvas.above(lid), person.skin * 0.80)
    lash = canvas.stroke(canvas.y - lid - 0.3 * (canvas.side - plan.apart) ** 2 / wide, 0.022)
    canvas.darken(0.55 * lash * canvas.ellipse(plan.apart, plan.eye, wide * 1.2, high * 1.6, both=True))
    brow = plan.eye - 0.165 + 0.045 * sign.sag
    arch = canvas.y - brow - 1.2 * (canvas.side - plan.apart) ** 2
    strong = canvas.stroke(arch, 0.026 + 0.018 * sign.jaw) * np.clip(4 - np.abs(canvas.side - plan.apart) / 0.04, 0, 1)
    canvas.paint(strong * (0.25 + 0.60 * sign.jaw), plan.hair * 0.85)


def _paint_nose_and_mouth(canvas: _Canvas, plan: _Plan, sign: Signs, person: Persons) -> None:
    """Paint a growing nose, and a mouth with thinning lips and dropping corners."""
    ridge = canvas.stroke(canvas.x - 0.035, 0.03) * canvas.above(plan.nose) * (1 - canvas.above(plan.eye, 0.1))
    canvas.darken(0.14 * ridge)
    canvas.darken(0.38 * canvas.ellipse(0, plan.nose, 0.075 + 0.02 * sign.growth, 0.030, both=False))
    wide = (0.13 + 0.03 * sign.growth + 0.02 * sign.jaw) * person.mouth
    inside = np.clip((wide - canvas.side) / 0.05 + 0.5, 0, 1)
    curve = plan.mouth + (0.05 * person.smile - 0.07 * sign.sag) * (1 - (canvas.side / wide) ** 2)
    canvas.darken(0.22 * (1 - 0.8 * sign.sag) * inside * canvas.stroke(canvas.y - curve - 0.02, 0.05))
    canvas.darken(0.60 * inside * canvas.stroke(canvas.y - curve, 0.022))


def _paint_lines(canvas: _Canvas, plan: _Plan, sign: Signs) -> None:
    """Paint wrinkles, bags under the eyes, and lines from the mouth down."""
    forehead = np.clip((0.30 - canvas.side) / 0.10 + 0.5, 0, 1)
    for rank in range(3):
        height = plan.eye - 0.26 - 0.085 * rank + 0.25 * canvas.side**2
        canvas.darken(0.34 * sign.wrinkles * forehead * canvas.stroke(canvas.y - height, 0.020))
    corner = np.clip((canvas.side - plan.apart - 0.10) / 0.04, 0, 1) * np.clip((plan.half - canvas.side) / 0.06, 0, 1)
    for slope in (-0.7, 0.0, 0.7):
        crow = canvas.y - plan.eye - slope * (canvas.side - plan.apart - 0.08)
        canvas.darken(0.30 * sign.wrinkles * corner * canvas.stroke(crow, 0.018))
    along = np.clip((canvas.y - plan.nose + 0.05) / (plan.mouth - plan.nose + 0.10), -0.5, 1.5)
    fold = canvas.stroke(canvas.side - 0.11 - 0.13 * along, 0.022) * np.clip(3 - 6 * np.abs(along - 0.5), 0, 1)
    canvas.darken(0.42 * sign.wrinkles * fold)
    bag = canvas.stroke(canvas.y - plan.eye - 0.115 + 3 * (canvas.side - plan.apart) ** 2, 0.026)
    near = np.clip((0.13 - np.abs(canvas.side - plan.apart)) / 0.05, 0, 1)
    canvas.darken(0.38 * sign.sag * bag * near)
    down = canvas.stroke(canvas.side - 0.21, 0.025) * canvas.above(plan.chin - 0.06) * (1 - canvas.above(plan.mouth))
    canvas.darken(0.42 * sign.sag * down)


def _paint_hair(canvas: _Canvas, plan: _Plan, sign: Signs) -> None:
    """Paint the hair over the forehead: little in early childhood, thin and receding in old age."""
    scalp = canvas.ellipse(0, -0.16, plan.half + 0.03, 0.53)
    line = -0.36 - 0.30 * sign.sag + 0.75 * canvas.side**2
    thick = np.minimum(1, 1.8 * sign.growth) * (1 - 0.7 * sign.sag)
    canvas.paint(scalp * canvas.above(line, 0.08) * thick, plan.hair)
