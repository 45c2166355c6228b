"""What every registered sampler must do; a new one is found by its entry in the registry."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from groupdir.config.domains import Domain
from groupdir.config.samplers import LearnerConfig
from groupdir.config.space import StudyConfig
from groupdir.registry import TABLES, resolve, resolve_config
from launch.sampling.base import Sampler, Suggestion
from launch.sampling.searcher import propose
from launch.study.new_trial import record_trial
from launch.study.study import Study
from launch.study.warm_start import fits
from tests.epoch_report import report
from tests.launch.conftest import CONTENT
from tests.plugins import without_a_test

Suggest = Callable[[Study], int]
Train = Callable[..., None]
SAMPLERS = sorted(TABLES["sampler"])
ENDS = ["finished", "stopped", "failed", "", "finished", "paused", "stopped", "finished", "failed", "finished"]
OUTER = ["method.groups", "method.similarity", "method.temperature"]


def section(sampler: str, startup: int = 4) -> dict[str, Any]:
    learns = issubclass(resolve_config("sampler", sampler), LearnerConfig)
    return {"name": sampler} | ({"startup": startup} if learns else {})


def with_search(study: Study, **changes: Any) -> Study:
    content = study.config.to_dict()
    study.config = StudyConfig.from_dict(content | {"search": content["search"] | changes})
    return study


def following(study: Study, rungs: tuple[int, ...] = (1, 2)) -> Suggestion:
    return propose(study.config.space, study.config.search, study.state.of("search"), rungs)


@pytest.fixture
def trained(study: Study, suggest: Suggest, train: Train) -> Study:
    """A study with trials of every state; the first ones are of a design."""
    with_search(study, sampler=section("qmc"))
    for index in range(24):
        train(study, suggest(study), [5.0 - 0.1 * index, 4.0 - 0.1 * index], ENDS[index % len(ENDS)])
    return study


def test_each_has_a_test_file() -> None:
    assert not without_a_test("sampler")


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_class_and_its_options(sampler: str) -> None:
    cls = resolve("sampler", sampler)
    assert issubclass(cls, Sampler)
    assert cls.Config is resolve_config("sampler", sampler)
    assert cls.Config().name == sampler, "`name: X` alone is a whole section"


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_state_gives_the_same_suggestion(trained: Study, sampler: str) -> None:
    """Also after a restart, which reads the state from the file."""
    with_search(trained, sampler=section(sampler))
    first = following(trained)
    assert following(trained) == first
    trained.close()
    again = with_search(Study.open(trained.folder), sampler=section(sampler))
    assert following(again) == first
    other = with_search(again, seed=1)
    assert following(other) != first, "another seed, another suggestion"
    again.close()


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_suggestions_are_in_the_space_and_new(study: Study, suggest: Suggest, train: Train, sampler: str) -> None:
    """Through trials that finish, stop, fail, pause, and run on."""
    with_search(study, sampler=section(sampler))
    domains: dict[str, Domain] = study.config.space.parameters
    for index in range(20):
        params = following(study).params
        assert study.config.space.build(params).method.name == "group_dir"
        assert all(fits(domains[name], value) for name, value in params.items())
        train(study, suggest(study), [5.0 - 0.1 * index, float("nan")], ENDS[index % len(ENDS)])
    assert len({trial.key for trial in study.state.of("search")}) == 20


@pytest.mark.parametrize("end", ["failed", "stopped"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_study_without_a_good_trial_goes_on(
    study: Study, suggest: Suggest, train: Train, sampler: str, end: str
) -> None:
    with_search(study, sampler=section(sampler))
    for _ in range(16):
        train(study, suggest(study), [float("nan")], end)
    study.config.space.build(following(study).params)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_outer_parameters_are_those_of_the_round(tmp_path: Path, sampler: str) -> None:
    nested = {"outer": OUTER, "inner": 4, "at_once": 2}
    search = CONTENT["search"] | {"sampler": section(sampler, 6), "nested": nested}
    search |= {"objectives": {"val_mae_all": "min"}}
    method = CONTENT["method"] | {"groups": {"choice": [2, 3, 4, 5, 6, 8, 10]}, "lambda_soft": {"uniform": [0, 1]}}
    study = Study.create(tmp_path / "study", StudyConfig.from_dict({**CONTENT, "method": method, "search": search}))
    for _ in range(24):
        params = following(study, ()).params
        number = record_trial(study, study.config.space.build(params), params, "search", "", "val_mae_all")
        row = {**report(1), "last": True, "metrics": {"val_mae_all": 5.0 + (number * 7) % 11}}
        study.append("epoch", trial=number, seed=0, epoch=1, payload=row)
        study.append("finished", trial=number)
    trials = study.state.of("search")
    study.close()
    points = [
        repr({name: value for name, value in trial.params.items() if name.split("|")[0] in OUTER}) for trial in trials
    ]
    assert all(points[n] == points[8 * (n // 8) + n % 2] for n in range(24)), "pairs of a round share an outer point"
    assert len({trial.key for trial in trials}) >= 22, (
        "inner parameters differ; a small space repeats itself now and then"
    )


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_space_with_nothing_open_has_one_point(study: Study, suggest: Suggest, train: Train, sampler: str) -> None:
    content = study.config.to_dict()
    fixed = {"groups": 5, "beta": 1.0, "similarity": "cosine", "temperature": 0.5, "weights": None}
    search = content["search"] | {"sampler": section(sampler, 1)}
    study.config = StudyConfig.from_dict(content | {"method": content["method"] | fixed, "search": search})
    for _ in range(6):
        train(study, suggest(study), [4.0], "finished")
    assert [dict(trial.params) for trial in study.state.of("search")] == [{}] * 6
