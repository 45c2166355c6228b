"""Synthetic faces that age: how old is this face? Built in; nothing to download."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from groupdir.config.datasets import FacesConfig
from groupdir.data.base import SplitName
from groupdir.data.drawn.base import SIZE, DrawnPictures
from groupdir.data.drawn.face_drawing import Persons, Signs, draw_faces

SIGNS = {
    "growth": (-4.0, 20.0),
    "jaw": (8.0, 34.0),
    "wrinkles": (26.0, 90.0),
    "grey": (30.0, 80.0),
    "sag": (46.0, 110.0),
}
"""Where each sign of age begins and ends, in years; outside of its range it tells nothing."""

_SHARED = 0.3  # share of the latent variance that all signs of a person have in common
_NOISE = 0.04


class Faces(DrawnPictures):
    """Synthetic faces that age from 0 to 100 years, long-tailed; built in.

    Five signs tell the age, each in a range of its own: the head grows, the jaw does, wrinkles come, hair gets grey,
    everything sags. In each person every sign runs ahead of the age or behind it, so that no picture tells the age
    exactly, and what is likely depends on how many people are of that age: the errors where people are many and where
    they are few trade off. Faces differ in all else too: width, skin, hair, smile, light, pose, clothes.
    """

    Config = FacesConfig
    config: FacesConfig
    unit = "years"

    def draw(self, split: SplitName, y: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Draws people of these ages."""
        signs = signs_of_age(y, self.config.latent, rng)
        faces = draw_faces(signs, Persons.draw(len(y), rng), SIZE)
        faces += _NOISE * rng.standard_normal(faces.shape, dtype=np.float32)
        return faces[:, None]


def signs_of_age(y: npt.NDArray[np.float32], latent: float, rng: np.random.Generator) -> Signs:
    """How far each sign has gone in people of ages `(N,)`, in years.

    A sign sees the age plus an error of standard deviation `latent`, smaller in children: a part of it is the person's,
    the rest the sign's own.

    Example:
        >>> signs = signs_of_age(np.array([0.0, 40.0, 100.0], dtype=np.float32), 0.0, np.random.default_rng(0))
        >>> [round(float(value), 2) for value in signs.growth], [round(float(value), 2) for value in signs.sag]
        ([0.17, 1.0, 1.0], [0.0, 0.0, 0.84])
    """
    spread = latent * (0.3 + 0.7 * np.clip(y / 40, 0, 1))
    person = np.sqrt(_SHARED) * rng.standard_normal(len(y))
    found = {}
    for name, (start, end) in SIGNS.items():
        seen = y + spread * (person + np.sqrt(1 - _SHARED) * rng.standard_normal(len(y)))
        share = np.clip((seen - start) / (end - start), 0, 1)
        found[name] = share.astype(np.float32)
    return Signs(**found)
