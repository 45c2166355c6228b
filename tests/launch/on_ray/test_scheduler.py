"""What Ray is told of an epoch; on a node that is given up, too."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ray.tune.schedulers import TrialScheduler

from launch.on_ray.draining import EVERY, Draining
from launch.on_ray.scheduler import RecordingScheduler

ROW = {"trial": 3, "epoch": 7}


class Tune:
    """Ray's side: trials by name, each on a node of that name, with a process that is kept for the next."""

    def __init__(self, **nodes: str) -> None:
        self.trials = {name: SimpleNamespace(name=name, status="RUNNING", PAUSED="PAUSED") for name in nodes}
        self.nodes = nodes
        self.given_up: set[str] = set()
        self.asked = 0
        self.now = 100.0
        self._trial_to_actor = Actors((trial.name, f"process of {name}") for name, trial in self.trials.items())
        self._started_actors = set(self._trial_to_actor.values())
        self.emptied = 0

    def _cleanup_cached_actors(self, force_all: bool) -> None:
        self.emptied += force_all

    def draining(self) -> Draining:
        return Draining(self.ask, lambda trial: self.nodes[trial.name], lambda: self.now)  # type: ignore[attr-defined]

    def ask(self) -> set[str]:
        self.asked += 1
        return self.given_up

    def get_trials(self) -> list[Any]:
        return list(self.trials.values())

    def scheduler(self, action: str) -> RecordingScheduler:
        loop: Any = SimpleNamespace(report=lambda trial, row: action)
        slots: Any = None
        return RecordingScheduler(loop, slots, print, self.draining())


class Actors(dict[str, str]):
    """By trial, as Ray has them."""

    def get(self, trial: Any, default: Any = None) -> Any:
        return super().get(trial.name, default)


@pytest.fixture
def tune() -> Any:
    return Tune(a="w1", b="w2")


def test_nothing_is_asked_of_a_trial_whose_node_stays(tune: Any) -> None:
    scheduler = tune.scheduler("continue")
    assert scheduler.on_trial_result(tune, tune.trials["a"], ROW) == TrialScheduler.CONTINUE
    assert len(tune._started_actors) == 2


def test_a_trial_whose_node_is_given_up_moves_and_its_process_is_not_kept(tune: Any) -> None:
    tune.given_up = {"w1"}
    scheduler = tune.scheduler("continue")
    wrapped = SimpleNamespace(_tune_controller=tune)
    assert scheduler.on_trial_result(wrapped, tune.trials["b"], ROW) == TrialScheduler.CONTINUE
    assert scheduler.on_trial_result(wrapped, tune.trials["a"], ROW) == TrialScheduler.PAUSE
    assert tune._started_actors == {"process of b"}


@pytest.mark.parametrize("action", ["stop", "pause"])
def test_what_the_study_says_goes_first(tune: Any, action: str) -> None:
    """A pause of the study is an end to Ray: the trial comes back as a new one, and is not to be queued by Ray too."""
    tune.given_up = {"w1"}
    scheduler = tune.scheduler(action)
    assert scheduler.on_trial_result(tune, tune.trials["a"], ROW) == TrialScheduler.STOP
    scheduler.on_trial_complete(tune, tune.trials["a"], ROW)
    assert tune._started_actors == {"process of b"}, "nor does its process take another trial"


def test_ray_is_asked_now_and_then(tune: Any) -> None:
    draining, trial = tune.draining(), tune.trials["a"]
    assert not any(draining.holds(trial) for _ in range(10))
    assert tune.asked == 1
    tune.given_up = {"w1"}
    tune.now += EVERY
    assert all(draining.holds(trial) for _ in range(10))
    assert tune.asked == 2


def test_those_that_move_begin_first(tune: Any) -> None:
    tune.trials["a"].status, tune.trials["b"].status = "PENDING", "PAUSED"
    assert tune.scheduler("continue").choose_trial_to_run(tune) is tune.trials["b"]
    tune.trials["b"].status = "RUNNING"
    assert tune.scheduler("continue").choose_trial_to_run(tune) is tune.trials["a"]


def test_processes_that_ray_has_kept_go_when_a_node_is_given_up(tune: Any) -> None:
    scheduler = tune.scheduler("continue")
    wrapped = SimpleNamespace(_tune_controller=tune, get_trials=tune.get_trials)

    def emptied(*given_up: str) -> int:
        tune.given_up = set(given_up)
        tune.now += EVERY
        scheduler.on_trial_result(wrapped, tune.trials["b"], ROW)  # whoever asks Ray first
        for _ in range(3):
            scheduler.choose_trial_to_run(wrapped)
        return int(tune.emptied)

    steps: list[tuple[str, ...]] = [(), ("w1",), ("w1",), ("w1", "w3"), (), ("w1",)]
    assert [emptied(*step) for step in steps] == [0, 1, 1, 2, 2, 3]
