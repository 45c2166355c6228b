"""Squared, absolute and Huber's error, by hand; and how a YAML names them."""

from typing import Any

import numpy as np
import pytest
import torch

from groupdir.config.trial import TrialConfig
from groupdir.data.base import Targets
from groupdir.errors import ConfigError
from groupdir.registry import resolve

TARGETS = Targets(low=0, high=10, bin_width=1, unit="steps", center=5, scale=2)
PREDICTION, TARGET, WEIGHT = torch.tensor([0.0, 3.0]), torch.tensor([0.5, 0.0]), torch.tensor([2.0, 1.0])


def value(section: dict[str, Any]) -> float:
    cls = resolve("regression_loss", section["name"])
    config = cls.Config.model_validate(section)  # type: ignore[attr-defined]
    return float(cls(config, TARGETS, np.arange(10))(PREDICTION, TARGET, WEIGHT))


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"name": "mse"}, (2 * 0.25 + 9) / 2),
        ({"name": "l1"}, (2 * 0.5 + 3) / 2),
        ({"name": "huber"}, (2 * 0.125 + 2.5) / 2),
        ({"name": "huber", "delta": 2}, (2 * 0.125 + 2 * (3 - 1)) / 2),
    ],
)
def test_by_hand(section: dict[str, Any], expected: float) -> None:
    assert value(section) == pytest.approx(expected)


def load(method: dict[str, Any]) -> TrialConfig:
    return TrialConfig.from_dict({"data": {"name": "digits"}, "encoder": {"name": "convnet"}, "method": method})


def test_a_name_alone_is_its_defaults() -> None:
    config = load({"name": "vanilla", "loss": "huber"})
    assert config.to_dict()["method"]["loss"] == {"name": "huber", "delta": 1.0}
    assert config.digest == load({"name": "vanilla", "loss": {"name": "huber", "delta": 1}}).digest
    assert load({"name": "vanilla"}).to_dict()["method"]["loss"] == {"name": "mse"}


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        ("hubert", "method.loss: unknown regression loss 'hubert': did you mean 'huber'?"),
        ({"name": "huber", "delte": 2}, "method.loss.delte: unknown key: did you mean 'delta'?"),
        ({"name": "huber", "delta": 0}, "method.loss.delta: must be > 0.0, got 0"),
        (3, "method.loss: must be a name, or a mapping with a name, got 3"),
    ],
)
def test_mistakes(loss: Any, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        load({"name": "vanilla", "loss": loss})
    assert says in str(error.value)
