"""A search of two levels: few encoders, many heads each, in an order that keeps all workers busy."""

from typing import Any

import pytest

from groupdir.config.search import NestedConfig
from groupdir.config.space import StudyConfig
from groupdir.errors import ConfigError
from launch.sampling.nested import outer_parameters
from launch.screen.sharing import sharing_text
from tests.launch.screen.test_sharing import STUDY


def config(**levels: Any) -> StudyConfig:
    method = {
        **STUDY["method"],
        "similarity": {"choice": ["cosine", "negative_l2"]},
        "temperature": {
            "by": "method.similarity",
            "cases": {"cosine": {"log_uniform": [0.1, 1]}, "negative_l2": {"log_uniform": [1, 10]}},
        },
    }
    outer = ["method.groups", "method.similarity", "method.temperature"]
    search = {**STUDY["search"], "nested": {"outer": outer, **levels}}
    return StudyConfig.from_dict({**STUDY, "method": method, "search": search})


def test_rounds_by_hand() -> None:
    levels = NestedConfig(outer=("a",), inner=3, at_once=2)
    earlier: list[dict[str, Any]] = []
    for number in range(12):
        fixed = outer_parameters(levels, earlier)
        earlier.append({"a": fixed.get("a", number), "b": number})
    assert [params["a"] for params in earlier] == [0, 1, 0, 1, 0, 1, 6, 7, 6, 7, 6, 7]
    assert outer_parameters(None, earlier) == {}


def test_the_saving_follows() -> None:
    text = sharing_text(config(inner=12))
    assert text.startswith("first stages: 2 distinct for 24 trials: 6 epochs, 12.0 times fewer")


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
