"""A class of one's own of every kind, named in a YAML as `module:Class`, is trained for an epoch."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from groupdir.config.trial import TrialConfig
from groupdir.errors import ConfigError
from groupdir.registry import NAME_KEYS, Kind
from groupdir.training.trainer import Trainer, run_trial
from tests.groupdir.methods.cases import PLACES, trial

OWN: dict[Kind, tuple[str, str, object]] = {
    "method": ("tests.toy.plugins:Median", "scale", 2.0),
    "regression_loss": ("tests.toy.plugins:Cubic", "factor", 0.5),
    "group_loss": ("tests.toy.plugins:Hinge", "margin", 0.5),
    "regularizer": ("tests.toy.plugins:Short", "power", 1),
    "weights": ("tests.toy.plugins:Above", "value", 4.0),
    "resampling": ("tests.toy.plugins:Twice", "value", 4.0),
    "optimizer": ("tests.toy.plugins:Sign", "shrink", 0.5),
    "schedule": ("tests.toy.plugins:Linear", "last", 0.5),
    "encoder": ("tests.toy.plugins:Projection", "width", 3),
    "data": ("tests.toy.parts:Waves", "size", 64),
}


def content(kind: Kind, **options: object) -> dict[str, object]:
    """Return a trial with the plug-in of one's own of a kind."""
    entry = {NAME_KEYS.get(kind, "name"): OWN[kind][0], **options}
    whole = {**trial({"name": "vanilla"}).to_dict(), "train": {"epochs": 1, "batch_size": 32}}
    sections = {kind: entry} if kind in ("data", "encoder") else PLACES[kind](entry)
    return {**whole, **sections}


def test_every_kind_is_here() -> None:
    assert set(OWN) == {*PLACES, "data", "encoder"}


@pytest.mark.parametrize("kind", OWN)
def test_a_yaml_with_it_trains(kind: Kind, tmp_path: Path) -> None:
    name, option, value = OWN[kind]
    path = tmp_path / "trial.yaml"
    path.write_text(yaml.safe_dump(content(kind, **{option: value})), encoding="utf-8")
    config = TrialConfig.load(path)
    (result,) = run_trial(config)
    assert np.isfinite(result.metrics["val_mae_all"])
    assert TrialConfig.from_dict(config.to_dict()) == config
    assert name in config.to_yaml()


@pytest.mark.parametrize("kind", OWN)
def test_it_is_not_the_default_that_trains(kind: Kind) -> None:
    """Its option reaches the class: another value gives other numbers."""
    _, option, value = OWN[kind]
    rows = [
        repr([result.metrics for result in run_trial(TrialConfig.from_dict(content(kind, **options)))])
        for options in ({}, {option: value})
    ]
    assert rows[0] != rows[1]


@pytest.mark.parametrize("kind", OWN)
def test_its_options_are_checked(kind: Kind) -> None:
    with pytest.raises(ConfigError, match=r"optoin: unknown key: .*Known: .*" + OWN[kind][1]):
        TrialConfig.from_dict(content(kind, optoin=1))
    missing = content(kind, **{NAME_KEYS.get(kind, "name"): OWN[kind][0] + "s"})
    with pytest.raises(ConfigError, match="cannot be loaded"):
        TrialConfig.from_dict(missing)


def test_weights_and_samples_are_those_of_the_classes() -> None:
    plain = Trainer(trial({"name": "vanilla"})).training
    rare = plain.y > 5
    weighted = Trainer(TrialConfig.from_dict(content("weights"))).training
    assert float(weighted.weight[rare][0] / weighted.weight[~rare][0]) == pytest.approx(3)
    assert len(Trainer(TrialConfig.from_dict(content("resampling"))).training) == len(plain) + int(rare.sum())


@pytest.mark.parametrize("kind", OWN)
def test_options_of_another_kind_are_refused(kind: Kind) -> None:
    other = "tests.toy.plugins:Short" if kind != "regularizer" else "tests.toy.plugins:Cubic"
    with pytest.raises(ConfigError, match=rf"{other} must have a `Config` that inherits from \w+Config, got"):
        TrialConfig.from_dict(content(kind, **{NAME_KEYS.get(kind, "name"): other}))


def test_options_that_raise_are_a_mistake() -> None:
    method = {"name": "tests.toy.plugins:Careless", "table": "b"}
    with pytest.raises(ConfigError, match=r"Careless must raise ValueError for wrong options, got KeyError at plugins"):
        TrialConfig.from_dict({**content("method"), "method": method})
