"""Synthetic faces that age: predict the age. Built in, without a download."""

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
"""Age in years at which each sign of age begins and ends. Outside this range the sign does not change."""

_SHARED = 0.3  # share of the latent variance that is common to all signs of a person
_NOISE = 0.04


class Faces(DrawnPictures):
    """Data set of synthetic faces aged 0 to 100 years, long-tailed and built in.

    Five signs depend on the age, each in its own range: the head grows, the jaw grows, wrinkles appear, hair turns
    grey, and skin sags. In each person, each sign is ahead of the age or behind it by a random amount, so a picture
    does not determine the age. The likely age then depends on how common each age is, so errors at common ages trade
    off against errors at rare ages. Faces also differ in width, skin, hair, smile, light, pose and clothes.
    """

    Config = FacesConfig
    config: FacesConfig
    unit = "years"

    def draw(self, split: SplitName, y: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Draw random people of the given ages."""
        signs = signs_of_age(y, self.config.latent, rng)
        faces = draw_faces(signs, Persons.draw(len(y), rng), SIZE)
        faces += _NOISE * rng.standard_normal(faces.shape, dtype=np.float32)
        return faces[:, None]


def signs_of_age(y: npt.NDArray[np.float32], latent: float, rng: np.random.Generator) -> Signs:
    """Return the progress of each sign of age for people of ages `(N,)`, in years.

    Each sign follows the age plus an error of standard deviation `latent`, which is smaller for children. One part of
    the error is common to all signs of a person, and the other part is independent for each sign.

    Example:
        >>> signs = signs_of_age(np.array([0.0, 40.0, 100.0], dtype=np.float32), 0.0, np.random.default_rng(0))
        >>> [round(float(value), 2) for value in signs.growth], [round(float(value), 2) for value in signs.sag]
        ([0.17, 1.0, 1.0], [0.0, 0.0, 0.84])
    """
    spread = latent * (0.3 + 0.7 * np.clip(y / 40, 0, 1))
    person = np.sqrt(_SHARED) * rng.standard_normal(len(y))
    progress = {}
    for name, (start, end) in SIGNS.items():
        seen = y + spread * (person + np.sqrt(1 - _SHARED) * rng.standard_normal(len(y)))
        share = np.clip((seen - start) / (end - start), 0, 1)
        progress[name] = share.astype(np.float32)
    return Signs(**progress)
