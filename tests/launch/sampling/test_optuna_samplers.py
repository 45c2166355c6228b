"""What is particular to Optuna's samplers: a question is asked in a study of its own."""

from collections.abc import Callable

import optuna
import pytest

from groupdir.registry import resolve
from launch.sampling.base import Past
from launch.sampling.optuna_samplers import TPE, OptunaSampler
from launch.study.study import Study

Suggest = Callable[[Study], int]
Train = Callable[..., None]


@pytest.mark.parametrize("name", ["tpe", "gp", "nsga2"])
def test_nothing_is_suggested_before_enough_is_comparable(
    study: Study, suggest: Suggest, train: Train, name: str
) -> None:
    """Seven trials for six parameters, at one fidelity; the start-up design is over long before."""
    cls = resolve("sampler", name)
    assert issubclass(cls, OptunaSampler)
    for count in range(8):
        past = Past(study.config.space, study.config.search, study.state.of("search"))
        assert (cls(past).suggest([0, count, 0]) is not None) == (count >= len(study.config.space.parameters) + 1)
        train(study, suggest(study), [4.0 - 0.1 * count], "finished")


def test_the_history_is_read_once_and_attempts_differ(
    study: Study, suggest: Suggest, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(12):
        train(study, suggest(study), [4.0 - 0.1 * index], "finished")
    sampler = TPE(Past(study.config.space, study.config.search, study.state.of("search")))
    first = sampler.suggest([0, 12, 0])
    monkeypatch.setattr("launch.sampling.optuna_samplers.optuna_trials", None)
    second = sampler.suggest([0, 12, 1])
    assert first is not None
    assert second is not None
    assert first.params != second.params
    assert optuna.logging.get_verbosity() == optuna.logging.ERROR
