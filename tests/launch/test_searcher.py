"""What is suggested, and that a new driver suggests the same."""

import math
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.trial import TrialState
from ray.tune.search import Searcher

from launch.searcher import StudySearcher, propose, told
from launch.study import Study

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
    filled(study, suggest, train)
    train(study, suggest(study), [math.nan], "finished")
    known = [told(study.config.space, study.config.search, trial) for trial in study.state.of("search")]
    complete, pruned, fail, running = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, TrialState.RUNNING
    expected = [complete, pruned, fail, running, complete, complete, complete, pruned, fail]
    assert [trial.state for trial in known] == expected
    assert known[0].values == [5.0, 6.0, 7.0], "many, median, few of the epoch with the lowest val_mae_all"
    assert known[1].values is None, "an error after two epochs is none of a finished trial"


def test_the_sampler_learns(study: Study, suggest: Suggest, train: Train) -> None:
    """Groups = 10 is best by far: after a while it is what is mostly suggested."""
    for _ in range(30):
        trial = suggest(study)
        train(study, trial, [1.0 if study.state.trials[trial].params["method.groups"] == 10 else 9.0], "finished")
    groups = [trial.params["method.groups"] for trial in study.state.of("search")]
    assert groups[15:].count(10) > 8
    assert len({str(dict(trial.params)) for trial in study.state.of("search")}) == 30, "no parameters twice"


def test_waiting_trials_come_first_and_go_on_from_their_checkpoint(
    study: Study, suggest: Suggest, train: Train, tmp_path: Path
) -> None:
    first, second = suggest(study), suggest(study)
    (tmp_path / "trial.pt").touch()
    study.append("checkpoint", trial=first, epoch=1, payload={"path": str(tmp_path)})
    study.append("checkpoint", trial=second, epoch=1, payload={"path": str(tmp_path / "gone")})
    searcher = StudySearcher(study, [first, second], iter([suggest(study), None]).__next__)
    told_first, told_second, third = (searcher.suggest(name) for name in "abc")
    assert (told_first["trial"], told_first["resume"]) == (first, str(tmp_path))
    assert (told_second["trial"], told_second["resume"]) == (second, None), "its checkpoint is gone: from the start"
    assert third["config"] == study.state.trials[2].config
    assert searcher.suggest("d") == Searcher.FINISHED


def test_ray_can_pickle_what_holds_a_study(study: Study) -> None:
    assert pickle.loads(pickle.dumps(study)) == study.folder  # noqa: S301


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_every_sampler_suggests_valid_trials(study: Study, sampler: str) -> None:
    told_so = study.config.search.sampler.model_copy(update={"name": sampler})
    search = study.config.search.model_copy(update={"sampler": told_so})
    params = propose(study.config.space, search, [])
    assert study.config.space.build(params).method.name == "group_dir"
