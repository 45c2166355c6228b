"""A search whose first trials all fail with the same error ends and says so; a resume continues it."""

from collections.abc import Callable
from typing import Any

import pytest

from groupdir.study.state import replay
from launch.control.audit import audit
from launch.control.second_chance import after_equal_failures, reopen
from launch.control.stop_rules import equal_failures, hopeless
from launch.control.study_loop import OVER, WAIT, StudyLoop
from launch.schedulers import make_scheduler
from launch.study.study import Study

Train = Callable[..., None]
LIMIT = 4


def loop_of(study: Study) -> StudyLoop:
    return StudyLoop(study, make_scheduler(study.config.search), "val_mae_all")


def start(study: Study) -> StudyLoop:
    study.append("driver", payload={"action": "start", "pid": 1})
    return loop_of(study)


def fail(study: Study, trial: Any, message: str = "ConfigError: views must be 1") -> None:
    study.append("started", trial=trial)
    study.append("failed", trial=trial, payload={"message": message})


def test_equal_failures_end_the_search_and_a_resume_continues(study: Study, train: Train) -> None:
    loop = start(study)
    for number in range(LIMIT):
        assert loop.following() == number
        fail(study, number, f"OSError: file {number}.csv is missing")
    assert loop.following() == OVER
    assert not loop.has_work()
    (ended,) = [event for event in study.events() if event.kind == "ended"]
    assert ended.payload["cause"] == "equal_failures"
    assert study.state.ended.startswith(
        "4 trials have failed with the same error and none has succeeded: OSError: file 0"
    )
    study.append("driver", payload={"action": "end", "pid": 1})
    assert replay(study.events()) == study.state
    assert study.state.ended, "it is still said after the driver"
    loop = start(study)
    assert study.state.ended == ""
    assert loop.has_work()
    number = loop.following()
    assert number == LIMIT, "the failures before the repair do not count"
    train(study, number, [3.0, 2.0, 2.0, 2.0], "finished")
    for number in range(LIMIT + 1, 2 * LIMIT + 2):
        assert loop.following() == number
        fail(study, number)
    assert hopeless(study.config.search, study.state) == "no", "one trial has succeeded"


def test_a_resume_runs_again_what_failed_before_its_first_epoch(study: Study, train: Train) -> None:
    loop = start(study)
    for number in range(LIMIT):
        assert loop.following() == number
        if number == 1:
            train(study, number, [3.0])
        fail(study, number, f"OSError: file {number}.csv is missing")
    assert loop.following() == OVER
    search = study.config.search
    says = f"a resume runs the {LIMIT - 1} that failed before their first epoch again and 8 new trials"
    assert after_equal_failures(search, study.state) == says
    study.append("driver", payload={"action": "end", "pid": 1})
    assert reopen(study) == [0, 2, 3]
    assert replay(study.events()) == study.state
    loop = start(study)
    assert study.state.trials[0].message == ""
    assert [loop.following() for _ in range(4)] == [0, 2, 3, LIMIT], "the oldest first, then a new one"
    for number in (0, 2, 3, LIMIT):
        train(study, number, [3.0, 2.0, 2.0, 2.0], "finished")
    while (number := loop.following()) != OVER:
        train(study, number, [3.0, 2.0, 2.0, 2.0], "finished")
    assert study.state.count("finished") == 11
    assert study.state.count("failed") == 1
    result = audit(study.events(), study.config, lambda: make_scheduler(study.config.search))
    assert not [text for text in result.wrong if "suggestion" in text or "seed" in text], result.wrong
    assert reopen(study) == [], "nothing has ended this driver early"


def test_a_search_shorter_than_the_limit_ends_by_equal_failures_too(study: Study) -> None:
    study.change({"search.trials": 3})
    loop = start(study)
    for _ in range(3):
        fail(study, loop.following())
    assert loop.following() == OVER
    assert study.state.ended.startswith("3 trials have failed with the same error")
    assert after_equal_failures(study.config.search, study.state).endswith("first epoch again")
    assert reopen(study) == [0, 1, 2]
    assert start(study).has_work()


def test_without_a_trial_left_the_end_says_how_to_get_more(study: Study, train: Train) -> None:
    study.change({"search.trials": 2})
    loop = start(study)
    for _ in range(2):
        number = loop.following()
        train(study, number, [3.0])  # type: ignore[arg-type]
        fail(study, number)
    assert loop.following() == OVER
    text = after_equal_failures(study.config.search, study.state)
    assert text == "a resume has no trial left to run: set search.trials above 2 in study.yaml first"


def test_the_others_are_awaited_before_the_search_is_given_up(study: Study, train: Train) -> None:
    """Trials that fail do so sooner than others succeed, so good ones may be before their first epoch."""
    loop = start(study)
    numbers = [loop.following() for _ in range(LIMIT + 1)]
    for number in numbers[:LIMIT]:
        fail(study, number)
    assert loop.following() == WAIT
    train(study, numbers[LIMIT], [3.0])
    assert isinstance(loop.following(), int), "it trains, so the error is not that of all"


def test_the_last_one_fails_too(study: Study) -> None:
    loop = start(study)
    numbers = [loop.following() for _ in range(LIMIT + 1)]
    for number in numbers:
        fail(study, number)
    assert loop.following() == OVER
    assert study.state.ended.startswith("5 trials")
    result = audit(study.events(), study.config, lambda: make_scheduler(study.config.search))
    assert not result.wrong


@pytest.mark.parametrize(
    ("messages", "count"),
    [
        (["a", "a", "a"], 3),
        (["epoch 3: loss 1e+30 is not finite", "epoch 12: loss 4.5e-3 is not finite"], 2),
        (["a", "b"], 0),
    ],
)
def test_messages_are_equal_if_only_numbers_differ(study: Study, messages: list[str], count: int) -> None:
    loop = start(study)
    for message in messages:
        fail(study, loop.following(), message)
    assert equal_failures(study.config.search, study.state)[0] == count


def test_the_limit_is_an_option(study: Study) -> None:
    study.change({"search.max_equal_failures": None})
    loop = start(study)
    for _ in range(12):
        fail(study, loop.following())
    assert loop.following() == OVER
    assert study.state.ended == ""
    assert not [event for event in study.events() if event.kind == "ended"]
