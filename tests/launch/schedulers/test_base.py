"""A scheduler and a sampler of one's own, named as "module:Class" in the YAML."""

from pathlib import Path

import pytest

from groupdir.config.space import StudyConfig
from groupdir.errors import ConfigError
from launch.sampling.searcher import propose
from launch.schedulers import Decision, make_scheduler
from tests.launch.conftest import CONTENT

MODULE = """
from pydantic import Field

from groupdir.config.samplers import SamplerConfig
from groupdir.config.schedulers import SchedulerConfig
from launch.sampling.base import Sampler, Suggestion
from launch.schedulers.base import Decision, NeverPauses


class Patience(NeverPauses):
    class Config(SchedulerConfig):
        epochs: int = Field(3, ge=1)

    def __init__(self, epochs):
        self.epochs = epochs

    @classmethod
    def from_config(cls, search):
        return cls(search.scheduler.epochs)

    def decide(self, trial, epoch, row):
        return Decision("stop", f"epoch {epoch}: enough") if epoch >= self.epochs else Decision()

    def rung_epochs(self, last):
        return ()


class Lowest(Sampler):
    class Config(SamplerConfig):
        share: float = Field(0.0, ge=0, le=1)

    def suggest(self, seed):
        return Suggestion(self.past.space.suggest(lambda name, domain: domain.ends[0]))
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_plug_ins.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return "my_plug_ins"


def test_both_are_used(module: str) -> None:
    search = {"scheduler": {"name": f"{module}:Patience", "epochs": 2}, "sampler": {"name": f"{module}:Lowest"}}
    config = StudyConfig.from_dict({**CONTENT, "search": search})
    scheduler = make_scheduler(config.search)
    assert scheduler.decide(0, 1, {}) == Decision()
    assert scheduler.decide(0, 2, {}).action == "stop"
    assert propose(config.space, config.search, []).params["method.groups"] == 2
    again = StudyConfig.from_dict(config.to_dict())
    assert again.search == config.search, "its options are written down with the study"


def test_a_wrong_option_has_its_line_and_a_hint(module: str, tmp_path: Path) -> None:
    search = {
        "scheduler": {"name": f"{module}:Patience", "epoch": 2},
        "sampler": {"name": f"{module}:Lowest", "share": 7},
    }
    with pytest.raises(ConfigError) as caught:
        StudyConfig.from_dict({**CONTENT, "search": search})
    messages = [str(mistake) for mistake in caught.value.mistakes]
    assert "search.scheduler.epoch: unknown key: did you mean 'epochs'? Known: epochs, metric, name" in messages[1]
    assert "search.sampler.share: must be <= 1.0, got 7" in messages[0]
