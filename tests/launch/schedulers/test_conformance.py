"""What every registered scheduler must do; a new one is found by its entry in the registry."""

from typing import Any

import numpy as np
import pytest

from groupdir.config.search import SearchConfig
from groupdir.config.space import StudyConfig
from groupdir.registry import TABLES, resolve, resolve_config
from launch.schedulers import Decision, Scheduler, make_scheduler
from tests.launch.conftest import CONTENT
from tests.plugins import without_a_test

SCHEDULERS = sorted(TABLES["scheduler"])
SHOTS = ("all", "many", "median", "few")
EPOCHS, TRIALS = 27, 40
Call = tuple[Any, ...]
"""A trial, an epoch and a row that were decided upon, or a trial and a rung that were promoted."""


def search(scheduler: str, **options: Any) -> SearchConfig:
    return SearchConfig.model_validate({"scheduler": {"name": scheduler, "metric": "val_mae_few", **options}})


def row(errors: np.ndarray) -> dict[str, Any]:
    return {"stage": "fit"} | {f"val_mae_{shot}": float(error) for shot, error in zip(SHOTS, errors, strict=True)}


def run(scheduler: Scheduler, seed: int, epochs: int = EPOCHS) -> list[tuple[Call, Any]]:
    """Trials of noisy, falling errors, four at once; every call and its answer, in order."""
    rng = np.random.default_rng(seed)
    quality = rng.uniform(1, 9, (TRIALS, len(SHOTS)))
    said: list[tuple[Call, Any]] = []
    running, paused, new = dict[int, int](), set[int](), iter(range(TRIALS))
    while True:
        while len(running) < 4:
            promoted = scheduler.promotable(lambda trial: trial in paused)
            if promoted is not None:
                scheduler.promote(*promoted)
                said.append((promoted, None))
                running[int(str(promoted[0]))] = promoted[1]
                paused.discard(int(str(promoted[0])))
            elif (trial := next(new, None)) is not None:
                running[trial] = 0
            else:
                break
        if not running:
            return said
        trial = int(rng.choice(sorted(running)))
        epoch = running[trial] = running[trial] + 1
        call = (trial, epoch, row(quality[trial] + rng.uniform(0, 1, 4) + 5 / epoch))
        decision = scheduler.decide(*call)
        said.append((call, decision))
        if decision.action == "pause":
            paused.add(trial)
        if decision.action != "continue" or epoch == epochs:
            del running[trial]


def replay(scheduler: Scheduler, calls: list[Call]) -> list[Any]:
    return [scheduler.decide(*call) if len(call) == 3 else scheduler.promote(*call) for call in calls]


def test_each_has_a_test_file() -> None:
    assert not without_a_test("scheduler")


def test_a_registered_plug_in_without_a_test_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLES["scheduler"], "coin", "launch.schedulers.ladder:Ladder")
    assert without_a_test("scheduler") == ["tests/launch/schedulers/test_ladder.py must test Ladder by name"]


@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_class_and_its_options(name: str) -> None:
    cls: Any = resolve("scheduler", name)
    assert cls.Config is resolve_config("scheduler", name)
    assert cls.Config().name == name, "`name: X` alone is a whole section"
    assert isinstance(make_scheduler(search(name)), cls)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SCHEDULERS)
def test_the_same_calls_get_the_same_answers(name: str, seed: int) -> None:
    options = search(name)
    said = run(make_scheduler(options), seed)
    assert {answer.action for _, answer in said if answer} >= {"continue"}
    assert replay(make_scheduler(options), [call for call, _ in said]) == [answer for _, answer in said]


@pytest.mark.parametrize("name", SCHEDULERS)
def test_an_epoch_that_is_reported_again_gets_the_same_answer_and_changes_nothing(name: str) -> None:
    options = search(name)
    said = run(make_scheduler(options), 0)
    scheduler = make_scheduler(options)
    for call, answer in said:
        if len(call) == 2:
            scheduler.promote(*call)
        else:
            assert scheduler.decide(*call) == scheduler.decide(*call) == answer


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_restart_decides_the_same(name: str) -> None:
    """A new scheduler is given the calls up to the middle again; from there on it answers as the first one did."""
    options = search(name)
    said = run(make_scheduler(options), 1)
    middle = len(said) // 2
    scheduler = make_scheduler(options)
    replay(scheduler, [call for call, _ in said[:middle]])
    assert replay(scheduler, [call for call, _ in said[middle:]]) == [answer for _, answer in said[middle:]]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_trial_that_is_best_on_every_objective_is_never_stopped(name: str, seed: int) -> None:
    """Others come before, between and after; the best one lies below all of them at each epoch."""
    scheduler, rng = make_scheduler(search(name)), np.random.default_rng(seed)
    for epoch in range(1, EPOCHS):
        for trial in range(6):
            assert scheduler.decide(f"before {trial}", epoch, row(rng.uniform(2, 9, 4))).action in ("continue", "stop")
        assert scheduler.decide("best", epoch, row(np.full(4, 1 / epoch))).action == "continue", f"epoch {epoch}"


@pytest.mark.parametrize(
    "name", [name for name in SCHEDULERS if "max_t" in resolve_config("scheduler", name).model_fields]
)
def test_no_trial_goes_beyond_max_t(name: str) -> None:
    options = search(name, grace_period=2, reduction_factor=2, max_t=9)
    assert options.scheduler.last_epoch == 9
    scheduler = make_scheduler(options)
    epochs = [call[1] for call, _ in run(scheduler, 0, epochs=50) if len(call) == 3]
    assert max(epochs) == 9
    assert all(epoch < 9 for epoch in scheduler.rung_epochs(100))


@pytest.mark.parametrize("name", SCHEDULERS)
def test_rungs_rise_and_others_epochs_are_never_compared(name: str) -> None:
    scheduler = make_scheduler(search(name))
    rungs = list(scheduler.rung_epochs(100))
    assert rungs == sorted(set(rungs))
    for epoch in sorted(set(range(1, 60)) - set(rungs)):
        for trial, error in enumerate((1.0, 9.0, 99.0)):
            assert scheduler.decide(trial, epoch, row(np.full(4, error))) == Decision()


@pytest.mark.parametrize("name", SCHEDULERS)
def test_a_study_refuses_options_of_others(name: str) -> None:
    """Whatever another scheduler takes and this one does not."""
    known = set(resolve_config("scheduler", name).model_fields)
    others = {field for other in SCHEDULERS for field in resolve_config("scheduler", other).model_fields} - known
    for field in others:
        content = {**CONTENT, "search": {"scheduler": {"name": name, field: 3}}}
        with pytest.raises(Exception, match=f"search.scheduler.{field}: unknown key"):
            StudyConfig.from_dict(content)
