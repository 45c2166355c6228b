"""Choices on the screen: how often they are computed, and among which trials they are the best."""

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


def test_a_better_value_of_a_stopped_trial_is_no_candidate(
    study: Study, suggest: Callable[[Study], int], train: Callable[..., None]
) -> None:
    """The table shows the stopped trial's value next to the choice, so the line says among which trials it is best."""
    choices = Choices(study.config)
    for value in (4.0, 5.0, 6.0, 7.0):
        train(study, suggest(study), [value, value], "finished")
    assert not any("of the finished trials" in line for line in choices.lines(study.state))
    train(study, suggest(study), [9.0, 9.0], "stopped")
    assert not any("of the finished trials" in line for line in choice_lines(study.config, study.state))
    train(study, suggest(study), [1.0, 9.0], "stopped")
    shown = choice_lines(study.config, study.state)
    assert shown[0].startswith("best many: ")
    assert "best of the finished trials" in shown[0]
    assert all(line.split(":")[1].startswith(" trial 0,") for line in shown), "the choice is the same"


def test_a_stopped_trial_alone_changes_the_lines(
    study: Study, suggest: Callable[[Study], int], train: Callable[..., None]
) -> None:
    looks = iter(range(0, 100_000, 100))
    choices = Choices(study.config, lambda: float(next(looks)))
    train(study, suggest(study), [3.0, 2.0], "finished")
    choices.lines(study.state)
    train(study, suggest(study), [1.0, 1.0], "stopped")
    for _ in range(round(1 / SHARE) + 1):
        lines = choices.lines(study.state)
    assert lines == choice_lines(study.config, study.state)
    assert "best of the finished trials" in lines[0]
