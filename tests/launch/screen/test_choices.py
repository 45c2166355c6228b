"""Choices on the screen: how often they are computed."""

from collections.abc import Callable

from launch.screen.choices import SHARE, Choices, choice_lines
from launch.study.study import Study


def test_the_choices_take_a_small_share_of_the_time(
    study: Study, suggest: Callable[[Study], int], train: Callable[..., None]
) -> None:
    """The clock moves by 1 s at each look, so the choices seem to take 1 s."""
    looks = iter(range(1000))
    choices = Choices(study.config, lambda: float(next(looks)))
    assert choices.lines(study.state) == ["best: none yet"], "looks 0 and 1"
    train(study, suggest(study), [3.0, 2.0], "finished")
    waits = round(1 / SHARE) - 2
    for _ in range(waits):
        assert choices.lines(study.state) == ["best: none yet"]
    assert choices.lines(study.state) == choice_lines(study.config, study.state) != ["best: none yet"]
    train(study, suggest(study), [1.5, 1.0], "finished")
    assert choices.lines(study.state) != choice_lines(study.config, study.state)
