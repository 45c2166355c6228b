"""What is suggested, and that a new driver suggests the same."""

import math
import pickle
from collections.abc import Callable
from pathlib import Path

from optuna.trial import TrialState
from ray import cloudpickle
from ray.tune.search import Searcher
from rich.console import Console

from groupdir.study.state import TrialState as TrialStateOfOurs
from launch.control.study_loop import OVER, WAIT
from launch.on_ray.attempts import Attempts
from launch.on_ray.capacity import Coming
from launch.on_ray.nodes import Nodes
from launch.on_ray.searcher import StudySearcher
from launch.on_ray.slots import Slots
from launch.sampling.design import design_point
from launch.sampling.optuna_history import optuna_trials
from launch.sampling.searcher import propose
from launch.study.study import Study

Suggest = Callable[[Study], int]
Train = Callable[..., None]
ENDS = ["finished", "stopped", "failed", "", "finished", "finished", "finished", "stopped"]


def filled(study: Study, suggest: Suggest, train: Train) -> Study:
    for index, end in enumerate(ENDS):
        train(study, suggest(study), [5.0 - 0.3 * index, 4.0 - 0.2 * index], end)
    return study


def test_a_new_driver_suggests_what_the_old_one_would_have(study: Study, suggest: Suggest, train: Train) -> None:
    filled(study, suggest, train)
    old = propose(study.config.space, study.config.search, study.state.of("search"))
    study.close()
    again = Study.open(study.folder)
    assert propose(again.config.space, again.config.search, again.state.of("search")) == old
    other = again.config.search.model_copy(update={"seed": 1})
    assert propose(again.config.space, other, again.state.of("search")) != old
    again.close()


def test_the_sampler_is_told_the_truth(study: Study, suggest: Suggest, train: Train) -> None:
    """Nine trials; at epoch 2 all have been but the failed one and the one that runs: that level has enough."""
    complete, pruned, fail, running = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING
    space, search = study.config.space, study.config.search
    assert optuna_trials(space, search, [], [1, 2]) is None
    for errors, end in (
        ([5.0, 4.0, 3.0], "finished"),
        ([5.0], "stopped"),
        ([math.nan, math.nan], "failed"),
        ([4.0], ""),
        ([9.0, 8.0], "stopped"),
        *[([6.0, 5.0, 4.0], "finished")] * 5,
    ):
        train(study, suggest(study), errors, end)
    known = optuna_trials(space, search, study.state.of("search"), [1, 2])
    assert known is not None
    assert [trial.state for trial in known] == [complete, pruned, fail, running, complete, *[complete] * 5]
    assert known[0].values == [5.0, 6.0, 7.0], "many, median, few of epoch 2, not of the end"
    assert known[1].values is None, "an error after one epoch is none after two"
    assert known[4].values == [9.0, 10.0, 11.0], "it came to the level, and was stopped there"
    train(study, suggest(study), [3.0, 2.0, 1.0], "finished")
    highest = optuna_trials(space, search, study.state.of("search"), [1, 2])
    assert highest is not None
    assert highest[0].values == [4.0, 5.0, 6.0], "seven have finished: the end is the level now"
    assert highest[4].state == pruned


def test_constraints_and_warm_trials_are_told(study: Study, suggest: Suggest, train: Train) -> None:
    search = study.config.search.model_copy(update={"constraints": {"val_mae_all": "<= 4.5"}})
    for error in (3.0, 4.0, 5.0, 6.0):
        train(study, suggest(study), [error], "finished")
    values = {"val_mae_many": 4.0, "val_mae_median": 5.0, "val_mae_few": 6.0}
    warm = [{"params": {"method.groups": 5}, "values": values | {"val_mae_all": 2.0}}] * 2
    warm += [{"params": {"method.groups": 10}, "values": values}]
    known = optuna_trials(study.config.space, search, study.state.of("search"), (), warm)
    assert known is not None
    assert [dict(trial.constraints)["val_mae_all"] for trial in known] == [-2.5, -2.5, 1.0, -1.5, -0.5, 0.5, 1.5]
    assert propose(study.config.space, search, study.state.of("search"), (), warm).params


def test_the_first_trials_are_a_design_even_when_all_are_asked_for_at_once(study: Study) -> None:
    space, search = study.config.space, study.config.search
    trials = [TrialStateOfOurs(number, 0, "search", "", {}, {}, "", "val_mae_all") for number in range(32)]
    points = [propose(space, search, trials[:number]).params for number in range(32)]
    assert points == [design_point(space, search.seed, number) for number in range(32)]
    groups = [point["method.groups"] for point in points]
    assert max(groups.count(value) for value in (2, 5, 10)) <= 13
    assert sum(point["method.beta"] < 1.0 for point in points) == 16, "half of them in each half of a log range"


def test_the_sampler_learns(study: Study, suggest: Suggest, train: Train) -> None:
    """Groups = 10 is best by far: after a while it is what is mostly suggested."""
    for _ in range(40):
        trial = suggest(study)
        train(study, trial, [1.0 if study.state.trials[trial].params["method.groups"] == 10 else 9.0], "finished")
    groups = [trial.params["method.groups"] for trial in study.state.of("search")]
    assert groups[20:].count(10) > 10, "of 20, where chance would give 7"
    assert len({str(dict(trial.params)) for trial in study.state.of("search")}) == 40, "no parameters twice"


def test_waiting_trials_come_first_and_go_on_from_their_checkpoint(
    study: Study, suggest: Suggest, train: Train, tmp_path: Path
) -> None:
    first, second = suggest(study), suggest(study)
    (tmp_path / "trial.pt").touch()
    study.append("checkpoint", trial=first, epoch=1, payload={"path": str(tmp_path)})
    study.append("checkpoint", trial=second, epoch=1, payload={"path": str(tmp_path / "gone")})
    slots = Slots(study.config.search, lambda: [{"CPU": 4.0}], Coming())
    following = iter([first, second, suggest(study), WAIT, suggest(study), OVER]).__next__
    nodes, attempts = Nodes(lambda node: lambda: "", print), Attempts(study, "run-1", print)
    searcher = StudySearcher(study, following, slots, nodes, attempts)
    told_first, told_second, third = (searcher.suggest(name) for name in "abc")
    assert (told_first["trial"], told_first["resume"]) == (first, str(tmp_path))
    assert (told_second["trial"], told_second["resume"]) == (second, None), "its checkpoint is gone: from the start"
    assert third["config"] == study.state.trials[2].config
    assert third["resources"] == {"CPU": 1.0}
    assert (third["refused"], third["attempt"]) == ((), "run-1/2/0")
    assert third["marker"] == str(study.storage / ".storage")
    assert searcher.suggest("d") is None, "who waits takes no place"
    assert searcher.suggest("d")["trial"] == 3
    assert searcher.suggest("e") is None, "four are all that fit, and nobody was asked"
    searcher.on_trial_complete("a")
    assert searcher.suggest("e") == Searcher.FINISHED


def test_ray_can_pickle_a_searcher_that_holds_a_screen(study: Study) -> None:
    """A terminal has locks, and every part of the searcher may print."""
    say = Console().print
    slots = Slots(study.config.search, lambda: [{"CPU": 4.0}], Coming())
    nodes, attempts = Nodes(lambda node: lambda: "", say), Attempts(study, "run-1", say)
    searcher = StudySearcher(study, lambda: WAIT, slots, nodes, attempts)
    assert isinstance(pickle.loads(cloudpickle.dumps(searcher)), Searcher)  # noqa: S301


def test_ray_can_pickle_what_holds_a_study(study: Study) -> None:
    assert pickle.loads(pickle.dumps(study)) == study.folder  # noqa: S301
