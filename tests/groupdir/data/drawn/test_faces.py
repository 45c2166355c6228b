"""Faces that age: each sign in its own range, all of them to be seen, nothing else tells the age."""

import dataclasses
from itertools import combinations

import numpy as np
import pytest

from groupdir.config.datasets import FacesConfig
from groupdir.config.trial import TrialConfig
from groupdir.data.drawn import face_drawing, faces
from groupdir.data.drawn.face_drawing import Persons, Signs, draw_faces
from groupdir.data.drawn.faces import SIGNS, Faces, signs_of_age
from groupdir.errors import ConfigError

NAMES = [field.name for field in dataclasses.fields(Signs)]


def signs(**values: float) -> Signs:
    """One face, whose signs are halfway unless given."""
    return Signs(**{name: np.array([values.get(name, 0.5)], dtype=np.float32) for name in NAMES})


def rows(record: Signs | Persons, part: slice) -> dict[str, np.ndarray]:
    return {field.name: getattr(record, field.name)[part] for field in dataclasses.fields(record)}


@pytest.mark.parametrize("name", NAMES)
def test_a_sign_grows_in_its_range_and_tells_nothing_outside(name: str) -> None:
    ages = np.arange(0, 100.5, 0.5, dtype=np.float32)
    value = getattr(signs_of_age(ages, 0.0, np.random.default_rng(0)), name)
    start, end = SIGNS[name]
    assert value.dtype == np.float32
    assert np.all(np.diff(value) >= 0)
    inside = (ages >= start) & (ages <= end)
    assert np.all(np.diff(value[inside]) > 0)
    assert np.all(value[ages <= start] == 0)
    assert np.all(value[ages >= end] == 1)
    assert inside.sum() < len(ages)  # each has an outside


def test_the_signs_are_those_that_are_drawn_and_tell_every_age() -> None:
    assert set(SIGNS) == set(NAMES)
    found = signs_of_age(np.arange(101, dtype=np.float32), 0.0, np.random.default_rng(0))
    assert len(set(zip(*(getattr(found, name).tolist() for name in NAMES), strict=True))) == 101


def test_signs_run_ahead_and_behind_together_and_less_in_children() -> None:
    count, latent = 40_000, 2.0

    def of(age: float, name: str) -> np.ndarray:
        start, end = SIGNS[name]
        found = signs_of_age(np.full(count, age, dtype=np.float32), latent, np.random.default_rng(0))
        years: np.ndarray = getattr(found, name) * (end - start) + start
        return years

    grey, wrinkles, growth = of(55, "grey"), of(55, "wrinkles"), of(8, "growth")
    assert grey.mean() == pytest.approx(55, abs=0.1)
    assert grey.std() == pytest.approx(latent, rel=0.03)
    assert growth.std() == pytest.approx(latent * (0.3 + 0.7 * 8 / 40), rel=0.03)
    assert np.corrcoef(grey, wrinkles)[0, 1] == pytest.approx(0.3, abs=0.03)  # the person's part of the variance


@pytest.mark.parametrize("name", NAMES)
def test_every_sign_can_be_seen(name: str) -> None:
    person = Persons.draw(1, np.random.default_rng(3))
    stages = [draw_faces(signs(**{name: value}), person, 32)[0] for value in (0.0, 0.5, 1.0)]
    for a, b in combinations(stages, 2):
        assert np.abs(a - b).max() > 0.05
    far, near = np.square(stages[2] - stages[0]).sum(), np.square(stages[1] - stages[0]).sum()
    assert far > near  # it goes on in one direction


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Persons)])
def test_every_trait_of_a_person_can_be_seen(name: str) -> None:
    values = rows(Persons.draw(2, np.random.default_rng(3)), slice(None))
    one = Persons(**{trait: value[:1] for trait, value in values.items()})
    spread = {"smile": (-0.4, 1.0), "light": (-1.0, 1.0), "tilt": (-0.12, 0.12), "length": (0.0, 1.0)}.get(name)
    ends = spread or (float(values[name][0]) - 0.06, float(values[name][0]) + 0.06)
    a, b = (
        draw_faces(signs(), dataclasses.replace(one, **{name: np.array([end], dtype=np.float32)}), 32) for end in ends
    )
    assert np.abs(a - b).max() > 0.01


def test_pictures_are_grey_of_any_size_and_do_not_depend_on_the_rest_of_the_batch() -> None:
    rng = np.random.default_rng(0)
    count = face_drawing._AT_ONCE + 1
    many, people = signs_of_age(rng.uniform(0, 100, count).astype(np.float32), 6.0, rng), Persons.draw(count, rng)
    pictures = draw_faces(many, people, 16)
    assert pictures.shape == (count, 16, 16)
    assert pictures.dtype == np.float32
    assert 0 <= pictures.min() < 0.1
    assert 0.9 < pictures.max() <= 1
    for part in (slice(0, 1), slice(count - 1, count)):
        alone = draw_faces(Signs(**rows(many, part)), Persons(**rows(people, part)), 16)
        np.testing.assert_allclose(alone, pictures[part], atol=1e-6)
    large = draw_faces(Signs(**rows(many, slice(0, 1))), Persons(**rows(people, slice(0, 1))), 64)
    assert np.abs(large.reshape(1, 16, 4, 16, 4).mean(axis=(2, 4)) - pictures[:1]).mean() < 0.06  # the same face


def test_pictures_get_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "draw_faces", lambda sign, person, size: np.zeros((len(sign.grey), size, size), "f4"))
    (noise,) = Faces(FacesConfig(name="faces", train=300)).split("train").inputs
    assert noise.mean() == pytest.approx(0, abs=0.001)
    assert noise.std() == pytest.approx(0.04, rel=0.02)


def test_latent_makes_the_same_labels_harder() -> None:
    sure, unsure = (Faces(FacesConfig(name="faces", train=30, latent=latent)) for latent in (0.0, 6.0))
    assert np.array_equal(sure.split("train").y, unsure.split("train").y)
    assert not np.array_equal(sure.split("train").inputs[0], unsure.split("train").inputs[0])


def test_a_negative_latent_is_refused() -> None:
    trial = {
        "data": {"name": "faces", "latent": -1},
        "encoder": {"name": "convnet"},
        "method": {"name": "vanilla"},
    }
    with pytest.raises(ConfigError, match=r"data\.latent: must be >= 0.0, got -1"):
        TrialConfig.from_dict(trial)
