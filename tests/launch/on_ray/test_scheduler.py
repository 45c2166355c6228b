"""What Ray is told of an epoch; on a node that is given up, too."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ray import tune as ray_tune
from ray.exceptions import ActorUnavailableError, RayTaskError
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from groupdir.errors import DiskFullError, MethodError, StorageLostError
from groupdir.trainable import placement
from launch.on_ray import private
from launch.on_ray.attempts import Attempts
from launch.on_ray.draining import EVERY, Draining
from launch.on_ray.nodes import Nodes
from launch.on_ray.scheduler import RecordingScheduler
from launch.study.study import Study

ROW = {"trial": 3, "epoch": 7}


class Tune:
    """Ray's side: trials by name, each on a node of that name, with a process that is kept for the next."""

    def __init__(self, study: Study, **nodes: str) -> None:
        self.study = study
        self.said: list[str] = []
        self.leaves = False
        self.trials = {
            name: SimpleNamespace(name=name, status="RUNNING", PAUSED="PAUSED", config={"trial": number})
            for number, name in enumerate(nodes)
        }
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
        slots: Any = SimpleNamespace(
            move=lambda trial: SimpleNamespace(bundle={"CPU": 1.0}), leaves_slot=lambda: self.leaves
        )
        self.on_nodes = Nodes(
            lambda node: lambda: "", self.said.append, lambda: {name: name for name in self.nodes.values()},
            lambda trial: self.nodes[trial.name], lambda: self.now,  # type: ignore[attr-defined]
        )  # fmt: skip
        attempts = Attempts(self.study, "run-1", self.said.append)
        return RecordingScheduler(loop, slots, self.on_nodes, attempts, self.said.append, self.draining())


class Actors(dict[str, str]):
    """By trial, as Ray has them."""

    def get(self, trial: Any, default: Any = None) -> Any:
        return super().get(trial.name, default)


@pytest.fixture
def tune(study: Study) -> Any:
    return Tune(study, a="w1", b="w2")


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
    assert tune.trials["a"].config["attempt"] == "run-1/0/0"
    assert "attempt" not in tune.trials["b"].config


@pytest.mark.parametrize("action", ["stop", "pause"])
def test_what_the_study_says_goes_first(tune: Any, action: str) -> None:
    """A pause of the study is an end to Ray: the trial comes back as a new one, and is not to be queued by Ray too."""
    tune.given_up = {"w1"}
    scheduler = tune.scheduler(action)
    assert scheduler.on_trial_result(tune, tune.trials["a"], ROW) == TrialScheduler.STOP
    scheduler.on_trial_complete(tune, tune.trials["a"], ROW)
    assert tune._started_actors == {"process of b"}, "nor does its process take another trial"


def test_the_process_of_a_trial_in_another_search_s_slot_is_not_kept(tune: Any) -> None:
    scheduler = tune.scheduler("continue")
    scheduler.on_trial_complete(tune, tune.trials["a"], ROW)
    assert len(tune._started_actors) == 2
    tune.leaves = True
    scheduler.on_trial_complete(tune, tune.trials["a"], ROW)
    assert tune._started_actors == {"process of b"}


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


# --- a trial fails ---


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    ray_tune.register_trainable("scheduler_test", ray_tune.Trainable)
    made = Trial("scheduler_test", stub=True, config={"trial": 0}, max_failures=1)
    monkeypatch.setattr(Trial, "local_path", str(tmp_path))
    private.request(made, {"CPU": 1.0})
    made.name = "a"  # type: ignore[attr-defined]
    return made


def fails(tune: Any, trial: Trial, error: BaseException) -> RecordingScheduler:
    """What Ray calls for a trial that has failed on its node."""
    scheduler: RecordingScheduler = tune.scheduler("continue")
    tune.on_nodes.begin(0, trial)
    scheduler.on_trial_add(tune, trial)
    trial.handle_error(ray_error(error))  # type: ignore[arg-type]
    scheduler.on_trial_error(tune, trial)
    return scheduler


def ray_error(error: BaseException) -> BaseException:
    return error if isinstance(error, ActorUnavailableError) else RayTaskError("step", "a traceback", error)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ActorUnavailableError("gone", None), ["trial 0 lost its node w1; it continues on another node"]),
        (RuntimeError("CUDA error"), ["trial 0 failed on w1 and is retried: RuntimeError: CUDA error"]),
        (MethodError("loss is nan"), []),  # it would recur
        (DiskFullError("node w1: full"), []),  # ends the search, which says it
        (
            StorageLostError("node w1: cannot use the storage"),
            [
                "node w1: cannot use the storage. w1 gets no trial until it can use the storage again",
                "trial 0 leaves w1, which cannot use the storage; it continues on another node",
            ],
        ),
    ],
)
def test_what_happened_to_a_trial_names_its_node(
    tune: Any, trial: Trial, error: BaseException, said: list[str]
) -> None:
    fails(tune, trial, error)
    assert tune.said == said
    assert trial.config["attempt"] == "run-1/0/0"


def test_the_fault_of_a_node_is_not_counted_and_the_node_is_avoided(tune: Any, trial: Trial) -> None:
    fails(tune, trial, StorageLostError("node w1: cannot use the storage"))
    assert trial.run_metadata.num_failures == 0
    assert trial.placement_group_factory == placement({"CPU": 1.0}, ["w1"])
    fails(tune, trial, RuntimeError("CUDA error"))
    assert trial.run_metadata.num_failures == 1
