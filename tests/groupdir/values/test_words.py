import math

import pytest

from groupdir.config.domains import Uniform
from groupdir.values.choice import Choice
from groupdir.values.trainings import Training, configurations
from groupdir.values.values import Value, Values
from groupdir.values.words import (
    chance_text,
    choice_text,
    interval_text,
    no_interval_text,
    number_text,
    trials_text,
    value_text,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (9.996, "10.0"),
        (0.9999999, "1.00"),
        (-0.09996, "-0.100"),
        (1e300, "1e+300"),
        (-5.487, "-5.49"),
        (1e-12, "1e-12"),
        (math.inf, "-"),
        (123456.7, "123457"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number_text(value) == text


def test_a_value_shows_its_interval_or_none() -> None:
    assert value_text(Value(0.91234, 0.9, 0.92, 0.93, 3)) == "0.912 [0.900, 0.920]"
    assert value_text(Value(math.nan, math.nan, math.nan, math.nan, 0)) == "-"


@pytest.mark.parametrize(
    ("chance", "text"), [(0.0, "under 1 %"), (0.01, "1 %"), (0.5, "50 %"), (0.99, "99 %"), (1.0, "over 99 %")]
)
def test_a_chance_is_never_certain(chance: float, text: str) -> None:
    assert chance_text(chance) == text


def test_lists_of_trials() -> None:
    assert trials_text([4, 1, 9]) == "trials 4, 1 and 9"
    assert trials_text([4, 1, 9, 3]) == "trials 4, 1, 9 and 1 more"
    assert trials_text([4, 1, 9, 3], 4) == "trials 4, 1, 9 and 3"


def test_a_choice_says_its_probability_and_its_rivals() -> None:
    trainings = [Training(10 + index, str(index), 0, True, {"x": 0.1 * index}, {}) for index in range(3)]
    values = Values({"x": Uniform(0, 1)}, configurations(trainings))
    sure, unsure = Choice("few", 0, 0.95, (), 3, 3), Choice("few", 0, 0.5, (2, 1), 3, 3)
    assert choice_text(values, sure) == "the best of 3 with probability 95 %"
    assert choice_text(values, unsure) == (
        "the best of 3 with probability 50 %; it cannot be told apart from trials 12 and 11"
    )
    limited = Choice("few", 0, 0.5, (), 1_251, 300)
    assert choice_text(values, limited) == (
        "the best of 1251 with probability 50 %, compared with the 300 nearest to the front"
    )
    assert "fewer than 5 trainings have finished" in choice_text(values, Choice("few", 0, math.nan, (), 3, 3))


def test_brackets_are_explained() -> None:
    assert "probability 90 %" in interval_text()
    assert no_interval_text() == "fewer than 5 trainings have finished, so there is no interval"
