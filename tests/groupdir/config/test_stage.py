"""Stages: what a configuration alone says of them, who counts their epochs, and which are refused."""

from typing import Any

import pytest

from groupdir.commands.plans import with_method
from groupdir.config.optimizers import AdamConfig
from groupdir.config.space import StudyConfig
from groupdir.config.stage import Stage, epochs_of, position, shareable
from groupdir.config.trial import TrialConfig
from groupdir.errors import ConfigError
from groupdir.methods.base import Stage as StageForAuthors
from groupdir.training.trainer import run_trial

CONTENT: dict[str, Any] = {
    "data": {"name": "tests.toy.parts:Waves"},
    "encoder": {"name": "mlp", "widths": [8]},
    "method": {"name": "tests.toy.staged:Warmed", "warmup": 3},
    "train": {"epochs": 4, "batch_size": 64},
}
ADAM = AdamConfig(name="adam")
THREE = (Stage("a", 2, ADAM, predicts=False), Stage("b", 3, ADAM), Stage("c", 1, ADAM, predicts=False))


def trial(method: str = "Warmed", **options: Any) -> TrialConfig:
    return TrialConfig.from_dict({**CONTENT, "method": {"name": f"tests.toy.staged:{method}", **options}})


def test_an_epoch_is_placed() -> None:
    places = [position(THREE, epoch) for epoch in range(1, 7)]
    assert [place.stage.name for place in places] == ["a", "a", "b", "b", "b", "c"]
    assert [place.stage_epoch for place in places] == [1, 2, 1, 2, 3, 1]
    assert [place.fidelity for place in places] == [0, 0, 1, 2, 3, 3]
    assert [place.index for place in places] == [0, 0, 1, 1, 1, 2]
    for epoch in (0, 7):
        with pytest.raises(ValueError, match=f"from 1 to 6, got {epoch}"):
            position(THREE, epoch)


def test_epochs_are_counted() -> None:
    assert (epochs_of(THREE), epochs_of(THREE, predicts=False)) == (3, 3)
    assert shareable(THREE) is THREE[0]
    assert shareable(THREE[1:]) is None, "it predicts"
    assert shareable(THREE[:1]) is None, "nothing comes after it"


@pytest.mark.parametrize("method", ["Warmed", "SaysItself"])
def test_the_options_or_the_class_say_the_stages(method: str) -> None:
    config = trial(method, warmup=5)
    assert [(stage.name, stage.epochs, stage.predicts) for stage in config.stages] == [
        ("warmup", 5, False),
        ("fit", 4, True),
    ]
    assert config.total_epochs == 9
    assert StageForAuthors is Stage


def test_the_trainer_follows_them() -> None:
    results = list(run_trial(trial("SaysItself", warmup=2)))
    assert [result.stage for result in results] == ["warmup"] * 2 + ["fit"] * 4
    assert [result.stage_epoch for result in results] == [1, 2, 1, 2, 3, 4]
    assert [result.predicts for result in results] == [False] * 2 + [True] * 4
    assert [result.fidelity for result in results] == [0, 0, 1, 2, 3, 4]
    assert [result.last for result in results] == [False] * 5 + [True]


@pytest.mark.parametrize(
    ("method", "options", "says"),
    [
        (
            "AsksItsHead",
            {},
            "its stages must be known before its network is built, got: 'AsksItsHead' object has no attribute",
        ),
        ("Named", {"kind": "never"}, "must have a stage that predicts, got only warmup"),
        ("Named", {"kind": "twins"}, "must have stages with different names, got 'fit', 'fit'"),
        ("Named", {"kind": "none"}, "must have at least one stage, got none"),
        ("Named", {"kind": "empty"}, "stage a must have at least 1 epoch, got 0"),
        ("Warmed", {"warmup": 0}, "stage warmup must have at least 1 epoch, got 0"),
        ("Wrong", {"kind": "nothing"}, "must return its stages as a tuple of Stage, got NoneType"),
        ("Wrong", {"kind": "one"}, "must return its stages as a tuple of Stage, got Stage"),
        ("Wrong", {"kind": "texts"}, "must return its stages as a tuple of Stage, got one with 'warmup'"),
        ("Wrong", {"kind": "generator"}, "must return its stages as a tuple of Stage, got generator"),
        ("Wrong", {"kind": "half"}, r"stage fit must have a whole number of epochs, got 2\.5"),
        ("Wrong", {"kind": "lines"}, r"must have stages whose names are text in one line, got 'fit\\n'"),
        ("Wrong", {"kind": "number"}, "must have stages whose names are text in one line, got 1"),
        ("Wrong", {"kind": "raises"}, r"cannot say its stages: KeyError at staged\.py:[0-9]+: 'raises'"),
    ],
)
def test_stages_that_cannot_be_trained_are_refused_as_the_file_is_read(
    method: str, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=rf"<config>: method: tests\.toy\.staged:{method}.*{says}"):
        trial(method, **options)


def test_a_space_is_refused_at_the_corner_that_cannot_be_trained() -> None:
    method = {"name": "tests.toy.staged:Warmed", "warmup": {"int_range": [0, 3]}}
    with pytest.raises(ConfigError, match="stage warmup must have at least 1 epoch, got 0"):
        StudyConfig.from_dict({**CONTENT, "method": method})


def test_a_space_knows_the_stages_of_its_corners() -> None:
    method = {"name": "tests.toy.staged:Warmed", "warmup": {"choice": [1, 3]}, "slope": {"log_uniform": [0.1, 10]}}
    space = StudyConfig.from_dict({**CONTENT, "method": method}).space
    assert sorted(stages[0].epochs for stages in space.corner_stages) == [1, 3]


def test_a_rival_gets_as_many_epochs() -> None:
    rival = with_method(trial(warmup=3), "vanilla")
    assert (rival.total_epochs, rival.train.epochs) == (7, 7)
    back = with_method(TrialConfig.from_dict({**CONTENT, "method": {"name": "vanilla"}}), "tests.toy.staged:Warmed")
    assert (back.total_epochs, back.train.epochs) == (4, 1)


def test_a_rival_whose_first_stage_is_too_long_is_refused() -> None:
    short = TrialConfig.from_dict({**CONTENT, "method": {"name": "vanilla"}, "train": {"epochs": 3}})
    with pytest.raises(ConfigError, match=r"must have 3 epochs together, got 4 for train\.epochs 1"):
        with_method(short, "tests.toy.staged:SaysItself")
