"""The simulated clock, and that a driver that dies at any moment decides as one that did not."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from groupdir.config.space import StudyConfig
from groupdir.study.events import Event
from groupdir.study.state import replay
from launch.control.audit import audit
from launch.schedulers import make_scheduler
from launch.simulation.clock import Clock, Faults
from launch.simulation.simulated_study import SimulatedStudy
from launch.simulation.surrogate import Drawn, Rows
from launch.study.memory_store import MemoryStore
from tests.launch.conftest import CONTENT

EPOCHS = 27
NAMES = ("val_mae_all", "val_mae_many", "val_mae_median", "val_mae_few")


class Bowl:
    """Errors that fall with the epochs to a floor which depends on the parameters, with a seed's noise."""

    name = "a bowl"

    def draw(self, params: Mapping[str, Any], rng: np.random.Generator, used: Collection[Any] = ()) -> Drawn:
        beta, groups = float(params["method.beta"]), float(params["method.groups"])
        floors = [2 + abs(np.log(beta) - shift) + 0.1 * groups * (index % 2) for index, shift in enumerate((0, 1, -1))]
        shift = rng.normal(0, 0.1, 3)
        rows = []
        for epoch in range(1, EPOCHS + 1):
            values = [float(floor + noise + 10 / epoch) for floor, noise in zip(floors, shift, strict=True)]
            metrics = dict(zip(NAMES, [sum(values) / 3, *values], strict=True))
            rows.append({"stage": "fit", "seconds": 1.0, **metrics})
        return Drawn(rows, *[tuple(map(float, floors))] * 2)

    def known(self) -> list[tuple[float, ...]]:
        return [(2.0, 2.0, 2.0)]


def config(**search: Any) -> StudyConfig:
    told = {
        "trials": 24,
        "sampler": {"name": "tpe", "startup": 6},
        "scheduler": {"name": "pareto_asha", "grace_period": 1, "reduction_factor": 3},
    }
    return StudyConfig.from_dict({**CONTENT, "train": {"epochs": EPOCHS}, "search": told | search})


PROMOTE = {"scheduler": {"name": "pareto_asha", "grace_period": 1, "reduction_factor": 3, "mode": "promote"}}


def log(events: list[Event]) -> list[tuple[Any, ...]]:
    """What a driver chose: suggestions, decisions, promotions, in their order."""
    kinds = ("suggested", "decision", "promoted", "epoch")
    return [
        (event.kind, event.trial, event.seed, event.epoch, event.payload.get("params"), event.payload.get("action"))
        for event in events
        if event.kind in kinds
    ]


def simulate(search: StudyConfig, workers: int, seed: int = 0, faults: Faults | None = None) -> SimulatedStudy:
    driver = SimulatedStudy(search, checkpoint_every=faults.checkpoint_every if faults else 5)
    for _ in Clock(driver, Bowl(), workers, seed, faults).run():
        pass
    return driver


@pytest.mark.parametrize("search", [{}, PROMOTE])
@pytest.mark.parametrize("workers", [1, 7, 100])
def test_every_trial_ends_and_no_row_is_lost(search: dict[str, Any], workers: int) -> None:
    study = simulate(config(**search), workers).study
    trials = study.state.of("search")
    assert len(trials) == 24
    assert {trial.status for trial in trials} == {"finished", "stopped"}
    for trial in trials:
        assert [row["epoch"] for row in trial.rows] == list(range(1, trial.epoch + 1))
        assert (trial.epoch == EPOCHS) == (trial.status == "finished")
    spent = sum(trial.epoch for trial in trials)
    assert spent == study.state.epochs < 24 * EPOCHS * 0.6, "most were stopped early"


def test_the_same_seed_gives_the_same_search() -> None:
    one, two, other = (log(list(simulate(config(), 4, seed).study.events())) for seed in (3, 3, 4))
    assert one == two
    assert one != other


def test_a_simulated_training_follows_from_the_seed_of_its_trial() -> None:
    """Trials with the same parameters differ by their own seeds, and are equal with one seed for all."""
    method = {"name": "group_dir", "recipe": "joint", "groups": {"choice": [5]}, "beta": {"choice": [1.0]}}
    for seeds, different in (("own", 12), ("shared", 1)):
        options = {"trials": 12, "sampler": {"name": "random"}, "scheduler": {"name": "none"}, "seeds": seeds}
        content = {**CONTENT, "train": {"epochs": EPOCHS}, "method": method, "search": options}
        trials = simulate(StudyConfig.from_dict(content), 4).study.state.of("search")
        for values in ({trial.seed for trial in trials}, {trial.value("val_mae_many") for trial in trials}):
            assert len(values) == different


class DriverDied(Exception):
    """Thrown where a driver is killed."""


class DyingStore(MemoryStore):
    """Dies at one write: before it is done, or right after."""

    def __init__(self, at: int, before: bool) -> None:
        super().__init__(lambda: 0.0)
        self.at, self.before = at, before

    def append(self, kind: Any, **about: Any) -> Event | None:
        if self.before and len(self.list) == self.at:
            self.at = -1
            raise DriverDied
        event = super().append(kind, **about)
        if not self.before and len(self.list) == self.at:
            self.at = -1
            raise DriverDied
        return event


class Restarted:
    """A driver that is killed at one of its writes, and restarted at once from what is in the store.

    Workers do not notice, so that all reports come in the order in which they would have come. What the dead driver was
    asked is asked again, as Ray would: a worker is free, or has an epoch to report.
    """

    def __init__(self, search: StudyConfig, at: int, before: bool) -> None:
        self._driver = SimulatedStudy(search, store=DyingStore(at, before))
        self._running: set[int] = set()
        self.died = False

    @property
    def study(self) -> Any:
        return self._driver.study

    def _again(self) -> None:
        self.died = True
        self._driver.restart(self._running)

    def following(self) -> Any:
        try:
            number = self._driver.following()
        except DriverDied:
            self._again()
            number = self._driver.following()
        if isinstance(number, int):
            self._running.add(number)
        return number

    def params(self, trial: int) -> Mapping[str, Any]:
        return self._driver.params(trial)

    def seed(self, trial: int) -> int:
        return self._driver.seed(trial)

    def whole(self, trial: int, rows: Rows) -> Rows:
        return self._driver.whole(trial, rows)

    def start(self, trial: int) -> int:
        try:
            return self._driver.start(trial)
        except DriverDied:
            self._again()
            return self._driver.study.state.trials[trial].checkpoint_epoch

    def report(self, trial: int, row: Mapping[str, Any]) -> Any:
        try:
            return self._driver.report(trial, row)
        except DriverDied:
            self._again()
            return self._driver.report(trial, row)

    def restart(self, running: Any) -> None:
        self._driver.restart(running)

    def end(self, trial: int, how: str, epoch: int) -> None:
        try:
            self._driver.end(trial, how, epoch)
        except DriverDied:
            self._again()
            if self.study.state.trials[trial].status == "running":
                self._driver.end(trial, how, epoch)
        self._running.discard(trial)


def kill_points(search: StudyConfig) -> Iterator[tuple[int, bool]]:
    events = len(list(simulate(search, 5).study.events()))
    rng = np.random.default_rng(0)
    for at in rng.choice(np.arange(1, events), 30, replace=False):
        yield int(at), bool(rng.integers(2))


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
@pytest.mark.parametrize("search", [{}, PROMOTE])
def test_a_driver_killed_anywhere_decides_as_if_it_had_not_been(search: dict[str, Any], sampler: str) -> None:
    """Four times thirty random moments."""
    told = config(**search, sampler={"name": sampler, "startup": 6})
    expected = simulate(told, 5).study
    for at, before in kill_points(told):
        driver = Restarted(told, at, before)
        for _ in Clock(driver, Bowl(), 5).run():
            pass
        assert driver.died
        assert log(list(driver.study.events())) == log(list(expected.events())), f"killed at write {at}"
        assert {trial.status for trial in driver.study.state.of("search")} == {"finished", "stopped"}


@pytest.mark.parametrize("search", [{}, PROMOTE])
def test_crashes_and_lost_nodes_lose_nothing(search: dict[str, Any]) -> None:
    faults = Faults(crash_rate=0.05, lost_rate=0.01, restart_rate=0.05, checkpoint_every=3)
    driver = simulate(config(**search), 16, faults=faults)
    trials = driver.study.state.of("search")
    assert {trial.status for trial in trials} == {"finished", "stopped"}
    for trial in trials:
        assert [row["epoch"] for row in trial.rows] == list(range(1, trial.epoch + 1))
    assert replay(driver.study.events()) == driver.study.state


@pytest.mark.parametrize("search", [{}, PROMOTE])
def test_every_choice_follows_from_the_record(search: dict[str, Any]) -> None:
    told = config(**search)
    study = simulate(told, 8, faults=Faults(crash_rate=0.05, restart_rate=0.1)).study
    found = audit(study.events(), told, lambda: make_scheduler(told.search))
    assert not found.wrong
    assert found.checked["suggestions"] == 24
    assert found.checked["decisions"] == sum(event.kind == "decision" for event in study.events())
    assert (found.checked["promotions"] > 0) == bool(search)
    other = audit(study.events(), config(**search, seed=1), lambda: make_scheduler(told.search))
    assert other.wrong, "another seed suggests others"
    looser = config(**search).search.model_copy(deep=True)
    looser.scheduler.__dict__["reduction_factor"] = 1.2
    assert audit(study.events(), told, lambda: make_scheduler(looser)).wrong


def test_a_trial_that_was_promoted_goes_on_after_a_restart() -> None:
    """All workers die with the driver, right after a promotion: the trial still stands at the rung where it paused."""
    told = config(**PROMOTE)
    events = list(simulate(told, 3).study.events())
    promotions = [index for index, event in enumerate(events) if event.kind == "promoted"]
    assert len(promotions) > 5
    for index in promotions:
        store = MemoryStore(lambda: 0.0)
        for event in events[: index + 1]:
            store.append(event.kind, trial=event.trial, seed=event.seed, epoch=event.epoch, payload=event.payload)
        driver, trial = SimulatedStudy(told, store=store), events[index].trial
        assert trial is not None
        state = driver.study.state.trials[trial]
        assert state.status == "running"
        assert not state.pause_decided, "or an interrupt would pause it for ever"
        again = {**state.rows[-1], "seed": state.seed, "done": False}
        assert driver.report(trial, again) == "continue", "it comes to the rung once more if its checkpoint is lost"


@pytest.mark.parametrize("trials", [1, 2, 6, 9])
def test_rungs_that_stay_small_promote_in_the_end(trials: int) -> None:
    """Nine trials, three at the second rung, one at the third: fewer than the three peers that a rung asks for."""
    told = config(**PROMOTE, trials=trials)
    study = simulate(told, 4).study
    assert study.state.count("finished") == 1
    found = audit(study.events(), told, lambda: make_scheduler(told.search))
    assert not found.wrong


def test_a_trial_that_dies_too_often_has_failed() -> None:
    driver = simulate(config(trials=6), 2, faults=Faults(crash_rate=0.5, most=1))
    failed = [trial for trial in driver.study.state.of("search") if trial.status == "failed"]
    assert failed
    assert all(trial.message for trial in failed)


def test_a_budget_of_epochs_is_kept() -> None:
    workers = 4
    state = simulate(config(max_epochs=60), workers).study.state
    assert 60 <= state.epochs <= 60 + workers
    assert {trial.status for trial in state.of("search")} <= {"finished", "stopped"}
    reasons = [
        event.payload["reason"]
        for event in simulate(config(max_epochs=60), workers).study.events()
        if event.kind == "decision"
    ]
    assert any("budget of 60 epochs" in reason for reason in reasons)


def test_a_front_that_does_not_move_ends_the_search() -> None:
    rule = {"trials": 3, "tolerance": 1.0}
    state = simulate(config(convergence=rule, scheduler={"name": "none"}), 1).study.state
    assert len(state.of("search")) == 4, "one, and three without a gain above 100 %"
