"""A search of two levels: few encoders, many heads each, in an order that keeps all workers busy."""

from typing import Any

import pytest

from groupdir.config.search import NestedConfig
from groupdir.config.space import StudyConfig
from groupdir.errors import ConfigError
from launch.sampling.nested import outer_parameters
from launch.sampling.searcher import SAMPLERS, propose
from launch.screen.sharing import sharing_text
from launch.study.new_trial import record_trial
from launch.study.study import Study
from tests.epoch_report import report
from tests.launch.screen.test_sharing import STUDY


def config(sampler: str = "qmc", **levels: Any) -> StudyConfig:
    method = {
        **STUDY["method"],
        "similarity": {"choice": ["cosine", "negative_l2"]},
        "temperature": {
            "by": "method.similarity",
            "cases": {"cosine": {"log_uniform": [0.1, 1]}, "negative_l2": {"log_uniform": [1, 10]}},
        },
    }
    outer = ["method.groups", "method.similarity", "method.temperature"]
    search = {**STUDY["search"], "sampler": {"name": sampler, "startup": 6}, "nested": {"outer": outer, **levels}}
    return StudyConfig.from_dict({**STUDY, "method": method, "search": search})


def test_rounds_by_hand() -> None:
    levels = NestedConfig(outer=("a",), inner=3, at_once=2)
    earlier: list[dict[str, Any]] = []
    for number in range(12):
        fixed = outer_parameters(levels, earlier)
        earlier.append({"a": fixed.get("a", number), "b": number})
    assert [params["a"] for params in earlier] == [0, 1, 0, 1, 0, 1, 6, 7, 6, 7, 6, 7]
    assert outer_parameters(None, earlier) == {}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_keeps_to_the_outer_leaves(sampler: str, tmp_path: Any) -> None:
    made = config(sampler, inner=4, at_once=2)
    study = Study.create(tmp_path / "study", made)
    for _ in range(24):
        trials = study.state.of("search")
        found = propose(made.space, made.search, trials)
        made.space.build(found.params)
        number = record_trial(
            study, made.space.build(found.params), found.params, "search", "", "val_mae_all", found.notes
        )
        row = {**report(1), "last": True, "metrics": {"val_mae_all": 5.0 + (number * 7) % 11}}
        study.append("epoch", trial=number, seed=0, epoch=1, payload=row)
        study.append("finished", trial=number)
    levels = made.search.nested
    assert levels is not None
    outer = [
        repr({name: value for name, value in trial.params.items() if name.partition("|")[0] in levels.outer})
        for trial in study.state.of("search")
    ]
    study.close()
    assert [outer.index(point) for point in outer] == [8 * (n // 8) + n % 2 for n in range(24)]
    assert len({repr(trial.params) for trial in study.state.of("search")}) == 24, "inner leaves differ"


def test_the_saving_follows() -> None:
    text = sharing_text(config(inner=12))
    assert text.startswith("first stages: 2 different ones of 24 trials: 6 epochs, 12.0 times less")


@pytest.mark.parametrize(
    ("outer", "message"),
    [
        (["method.grups"], "search.nested.outer: must name open parameters (method.groups, method.similarity, "),
        (["method.temperature"], "method.temperature depends on method.similarity, which must be outer too"),
        (
            ["method.groups", "method.similarity", "method.temperature", "method.lambda_soft", "method.beta"],
            "must leave some open parameters for the inner level",
        ),
    ],
)
def test_mistakes_are_named(outer: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config(inner=3, outer=outer)
    assert message in str(caught.value)
