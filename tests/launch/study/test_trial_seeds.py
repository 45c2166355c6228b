"""Each trial has a seed of its own, a first stage that trials share has one, and later trainings have other seeds."""

from typing import Any

import pytest

from groupdir.config.space import StudyConfig
from groupdir.config.stage import shareable
from groupdir.config.trial import TrialConfig
from groupdir.seeds import ABLATION, CONFIRMATION, MEASUREMENT, SEARCH, measurement_seeds
from groupdir.training.stages import address
from launch.control.audit import audit
from launch.control.study_loop import StudyLoop
from launch.schedulers import make_scheduler
from launch.study.study import Study
from launch.study.trial_seeds import TrialSeeds, later_seeds
from tests.launch.screen.test_sharing import STUDY

NESTED = {"outer": ["method.groups", "method.temperature"], "inner": 6, "at_once": 2}


def config(**search: Any) -> StudyConfig:
    return StudyConfig.from_dict({**STUDY, "search": {**STUDY["search"], "scheduler": {"name": "none"}, **search}})


def one_stage(**search: Any) -> StudyConfig:
    method = {**STUDY["method"], "recipe": "joint", "pretrain": None}
    return StudyConfig.from_dict({**STUDY, "method": method, "search": {**STUDY["search"], **search}})


def suggested(study: Study, count: int) -> list[TrialConfig]:
    """Configurations of all trials after a driver has suggested some more."""
    loop = StudyLoop(study, make_scheduler(study.config.search), "val_mae_all")
    for _ in range(count):
        number = loop.following()
        while isinstance(number, int) and study.state.trials[number].started:
            number = loop.following()
        assert isinstance(number, int)
        study.append("started", trial=number)
    return [TrialConfig.from_dict(trial.config) for trial in study.state.of("search")]


def trials(study: StudyConfig, results: Any, count: int) -> list[TrialConfig]:
    opened = Study.create(results / "study", study)
    made = suggested(opened, count)
    opened.close()
    return made


def stage_of(trial: TrialConfig) -> str:
    first = shareable(trial.stages)
    assert first is not None
    return address(trial, first)


def test_each_trial_has_a_seed_of_its_own(results: Any) -> None:
    seeds = [trial.seed for trial in trials(one_stage(), results, 24)]
    assert len(set(seeds)) == 24
    assert all(seed in SEARCH for seed in seeds)


def test_shared_keeps_one_seed(results: Any) -> None:
    made = trials(one_stage(seeds="shared"), results, 6)
    assert {(trial.seed, trial.stage_seed) for trial in made} == {(SEARCH[0], None)}


@pytest.mark.parametrize("search", [{}, {"nested": NESTED}, {"seeds": "shared"}])
def test_stages_are_shared_as_with_one_seed_and_by_their_seeds(results: Any, search: dict[str, Any]) -> None:
    """Two trials have one stage if and only if its options are equal, and both name the seed that trains it."""
    made = trials(config(**search), results, 24)
    options = [(trial.method.groups, trial.method.temperature) for trial in made]
    assert 1 < len({stage_of(trial) for trial in made}) == len(set(options)) < 5
    assert len(set(zip(map(stage_of, made), options, strict=True))) == len(set(options))
    for option in set(options):
        sharing = [trial for trial, its in zip(made, options, strict=True) if its == option]
        assert {trial.first_seed for trial in sharing} == {sharing[0].seed}, "the first of them trains it"
        assert sharing[0].stage_seed is None
        assert len({trial.seed for trial in sharing}) == (1 if search.get("seeds") else len(sharing))


def test_a_driver_that_is_killed_gives_the_same_seeds(results: Any) -> None:
    (results / "one").mkdir()
    whole = trials(config(), results / "one", 12)
    study = Study.create(results / "two", config())
    for count in (5, 1, 6):
        made = suggested(study, count)
        study.close()
        study = Study.open(results / "two")
    assert made == whole
    found = audit(study.events(), study.config, lambda: make_scheduler(study.config.search))
    assert not found.wrong
    assert found.checked["seeds"] == 12
    study.close()


def test_an_audit_finds_another_seed(results: Any) -> None:
    study = Study.create(results / "study", one_stage())
    suggested(study, 2)
    shared = one_stage(seeds="shared")
    found = audit(study.events(), shared, lambda: make_scheduler(shared.search))
    assert len(found.wrong) == 2
    logged = study.state.trials[1].seed
    assert f"the logged seed is ({logged}, None), but replaying the log gives ({SEARCH[0]}, None)" in found.wrong[1]
    study.close()


def test_a_trial_of_the_log_keeps_its_stage_for_later_trials() -> None:
    study = config()
    params = next(iter(study.space.corners()))
    seeds = TrialSeeds(study.search)
    first = seeds.seeded(study.space.build(params), 0)
    seeds = TrialSeeds(study.search)
    seeds.add(first)
    second = seeds.seeded(study.space.build({**params, "method.beta": 1.0}), 7)
    assert (second.stage_seed, second.seed) == (first.seed, first.seed + 7)


def test_no_later_training_has_a_seed_of_the_search(results: Any) -> None:
    study = config()
    made = trials(study, results, 24)
    searched = {seed for trial in made for seed in (trial.seed, trial.first_seed)}
    confirmed = later_seeds(study, CONFIRMATION, 20)
    ablated = later_seeds(study, ABLATION, 20)
    measured = [seed for trial in made for seed in measurement_seeds(trial.seed, 20)]
    sets = [searched, set(confirmed), set(ablated), set(measured)]
    assert [len(each) for each in sets] == [24, 20, 20, 20]
    assert len(set.union(*sets)) == 84
    for seeds, purpose in ((searched, SEARCH), (confirmed, CONFIRMATION), (ablated, ABLATION), (measured, MEASUREMENT)):
        assert all(seed in purpose for seed in seeds)
    assert later_seeds(study, CONFIRMATION, 5) == confirmed[:5]
