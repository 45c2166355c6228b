"""The confirmation: where its trainings go, when it ends, and that it survives a kill at any moment."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from groupdir.config.confirmation import ConfirmationConfig
from groupdir.config.space import StudyConfig
from groupdir.errors import ConfigError, DataError
from groupdir.rules import RULES
from groupdir.seeds import CONFIRMATION
from groupdir.study.events import Event
from groupdir.study.state import StudyState, fold
from groupdir.values.choice import choose, scores
from groupdir.values.trainings import configurations, trainings_of
from groupdir.values.values import Values
from launch.control import confirmation
from launch.control.audit import Audit, audit
from launch.control.confirmation import (
    SMALLEST_GAIN,
    affordable,
    begin_round,
    ended_round,
    next_training,
    suggest_confirmation,
    unfinished_round,
)
from launch.control.training_gain import expected_gains
from launch.schedulers import make_scheduler
from launch.simulation.clock import Clock, Faults
from launch.simulation.simulated_study import SimulatedStudy
from launch.study.memory_store import MemoryStore
from tests.launch.simulation.test_clock import EPOCHS, Bowl, Restarted, config, log, simulate

CONFIRM: dict[str, Any] = {"share": 0.5, "rules": ["few", "many"], "stop": 0.95}


def confirmed(**search: Any) -> StudyConfig:
    """A search of twelve whole trials, then at most six trainings for two rules."""
    return config(**{"trials": 12, "scheduler": {"name": "none"}, "confirm": CONFIRM, **search})


def audited(told: StudyConfig, events: list[Event]) -> Audit:
    return audit(events, told, lambda: make_scheduler(told.search))


def values_of(told: StudyConfig, state: StudyState) -> Values:
    return Values(told.space.parameters, configurations(trainings_of(state)))


@pytest.fixture(scope="module")
def study() -> Any:
    return simulate(confirmed(), 3).study


def test_contenders_are_trained_on_fresh_seeds(study: Any) -> None:
    state = study.state
    again = state.of("confirmation")
    assert 1 <= len(again) <= 6
    assert {trial.status for trial in again} == {"finished"}
    assert all(trial.epoch == EPOCHS for trial in again)
    searched = {trial.configuration: trial for trial in state.of("search")}
    for trial in again:
        base = searched[trial.configuration]
        assert trial.seed in CONFIRMATION
        assert trial.label == f"of trial {base.number}"
        assert trial.params == base.params
        assert {**trial.config, "seed": 0} == {**base.config, "seed": 0}
    assert len({(trial.configuration, trial.seed) for trial in again}) == len(again)
    for name in {trial.configuration for trial in again}:
        seeds = [trial.seed for trial in again if trial.configuration == name]
        assert seeds == [CONFIRMATION[(seeds[0] - CONFIRMATION[0] + k) % len(CONFIRMATION)] for k in range(len(seeds))]


def test_each_training_has_the_largest_gain(study: Any) -> None:
    """Replay the log and compute the gain of every contender again, rule by rule, at each confirmation."""
    told, state, checked = confirmed(), StudyState(), 0
    for event in study.events():
        if event.kind == "suggested" and event.payload["role"] == "confirmation":
            running = Counter(trial.configuration for trial in state.of("confirmation") if trial.status == "running")
            values = values_of(told, state)
            everyone = np.arange(len(values.configurations))
            gains: Counter[int] = Counter()
            pending = {
                index: running[each.trainings[0].configuration] for index, each in enumerate(values.configurations)
            }
            for rule in CONFIRM["rules"]:
                chosen = choose(values, rule, list(told.search.objectives), [], everyone)
                assert chosen is not None
                if chosen.chance < CONFIRM["stop"]:
                    one = scores(values, [f"val_mae_{rule}"], everyone)
                    gains.update(expected_gains(values, one, pending))
            best = values.trials[max(gains, key=lambda index: gains[index])]
            assert event.payload["label"] == f"of trial {best}"
            assert next_training(told, state) is state.trials[best]
            checked += 1
        fold(state, event)
    assert checked == len(study.state.of("confirmation"))


def test_the_audit_agrees_and_finds_a_change(study: Any) -> None:
    events = list(study.events())
    found = audited(confirmed(), events)
    assert not found.wrong
    assert found.checked["confirmations"] == len(study.state.of("confirmation"))
    first = next(i for i, event in enumerate(events) if event.payload.get("role") == "confirmation")
    other_seed = [*events[:first], replace(events[first], seed=events[first].seed + 9), *events[first + 1 :]]
    assert len(audited(confirmed(), other_seed).wrong) >= 1
    logged = study.state.of("confirmation")[0].configuration
    base = next(trial for trial in study.state.of("search") if trial.configuration != logged)
    moved = replace(events[first], payload={**events[first].payload, "config": dict(base.config)})
    assert audited(confirmed(), [*events[:first], moved, *events[first + 1 :]]).wrong


@pytest.mark.slow
def test_a_driver_killed_at_twenty_moments_decides_as_if_it_had_not_been() -> None:
    told = confirmed(scheduler={"name": "pareto_asha", "grace_period": 3, "reduction_factor": 2, "mode": "promote"})
    expected = simulate(told, 4).study
    events = list(expected.events())
    begins = next(event.seq for event in events if event.kind == "confirm")
    rng = np.random.default_rng(0)
    moments = [begins - 1, begins, *rng.choice(np.arange(begins + 1, len(events)), 18, replace=False)]
    for at in moments:
        driver = Restarted(told, int(at), bool(rng.integers(2)))
        for _ in Clock(driver, Bowl(), 4).run():
            pass
        assert driver.died
        assert log(list(driver.study.events())) == log(events), f"killed at write {at}"
        assert sum(event.kind == "confirm" for event in driver.study.events()) == 1
        assert not audited(told, list(driver.study.events())).wrong


def test_crashed_workers_and_restarts_lose_and_double_nothing() -> None:
    told = confirmed(confirm={**CONFIRM, "share": 1.0, "stop": 0.999})
    faults = Faults(crash_rate=0.03, lost_rate=0.01, restart_rate=0.05, checkpoint_every=3)
    study = simulate(told, 6, faults=faults).study
    again = study.state.of("confirmation")
    assert len(again) <= study.state.round.trainings
    assert {trial.status for trial in again} == {"finished"}
    for trial in again:
        assert [row["epoch"] for row in trial.rows] == list(range(1, EPOCHS + 1))
    assert len({(trial.configuration, trial.seed) for trial in again}) == len(again)
    assert not audited(told, list(study.events())).wrong


def test_a_round_ends_when_it_is_sure() -> None:
    told = confirmed(confirm={**CONFIRM, "share": 4.0, "stop": 0.6})
    study = simulate(told, 1).study
    state = study.state
    used = len(state.of("confirmation"))
    assert used < state.round.trainings
    values = values_of(told, state)
    everyone = values.kept(told.search.keeps)
    for rule in CONFIRM["rules"]:
        chosen = choose(values, rule, list(told.search.objectives), [], everyone)
        assert chosen is not None
        gains = expected_gains(values, scores(values, [f"val_mae_{rule}"], everyone), {})
        seeds = Counter(trial.configuration for trial in state.of("confirmation"))
        free = [i for i in gains if seeds[values.configurations[i].trainings[0].configuration] < 7]
        assert chosen.chance >= 0.6 or max(gains[i] for i in free) <= SMALLEST_GAIN
    assert ended_round(state, told).startswith(f"the confirmation ended after {used} of")


def test_no_configuration_gets_more_than_its_seeds() -> None:
    told = confirmed(confirm={**CONFIRM, "share": 5.0, "stop": 0.9999, "most_seeds": 3})
    state = simulate(told, 2).study.state
    counts = Counter(trial.configuration for trial in state.of("confirmation"))
    assert max(counts.values()) == 2
    assert next_training(told, state) is None


def test_the_share_is_one_of_epochs() -> None:
    """Twelve trials of 27 epochs: half of them pay for six trainings, and any part of one for one."""
    state = simulate(confirmed(), 3).study.state
    finished = state.finished("search")
    assert [affordable(state, finished, share) for share in (0.5, 0.25, 0.01)] == [6, 3, 1]
    assert state.round is not None
    assert state.round.trainings == 6


def test_a_later_round_continues_the_seeds() -> None:
    told = confirmed()
    driver = SimulatedStudy(told)
    for _ in Clock(driver, Bowl(), 3).run():
        pass
    before = len(driver.study.state.of("confirmation"))
    begin_round(driver.study, ConfirmationConfig(rules=("all",), stop=0.999, most_seeds=8), 3)
    driver.restart(())
    for _ in Clock(driver, Bowl(), 3, seed=1).run():
        pass
    again = driver.study.state.of("confirmation")
    assert len(again) == before + 3
    assert len({(trial.configuration, trial.seed) for trial in again}) == len(again)
    assert not audited(told, list(driver.study.events())).wrong
    assert ended_round(driver.study.state, told) == "the confirmation has used its 3 trainings"


def test_a_configuration_that_fails_is_not_tried_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirmation, "SMALLEST_GAIN", -1.0)
    told = confirmed(confirm={**CONFIRM, "rules": RULES, "share": 3.0, "stop": 0.9999, "most_seeds": 3})
    search = simulate(confirmed(confirm=None), 3)
    begin_round(search.study, told.search.confirm)
    state, asked = search.study.state, Counter[str]()
    search.study.config = told
    while (number := suggest_confirmation(search.study, "val_mae_all")) is not None:
        asked[state.trials[number].label] += 1
        search.study.append("failed", trial=number, payload={"message": "loss is nan"})
    assert max(asked.values()) == 2
    assert sum(asked.values()) <= state.round.trainings
    assert not unfinished_round(state, told)


def test_too_few_trainings_for_a_model_confirm_the_best_two() -> None:
    told = confirmed(trials=3, confirm={**CONFIRM, "rules": ["few"], "share": 1.0})
    study = simulate(told, 1).study
    few = sorted(study.state.of("search"), key=lambda trial: trial.value("val_mae_few"))
    first, second = study.state.of("confirmation")[:2]
    assert {first.configuration, second.configuration} == {few[0].configuration, few[1].configuration}


def test_without_a_finished_trial_there_is_nothing_to_confirm() -> None:
    driver = SimulatedStudy(confirmed(), store=MemoryStore(lambda: 0.0))
    with pytest.raises(DataError, match="no trial of the search has finished, so there is nothing to confirm"):
        begin_round(driver.study, ConfirmationConfig())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rules": ["fev"]}, r"search\.confirm\.rules\.0: unknown rule 'fev': did you mean 'few'"),
        ({"rules": ["few", "few"]}, "must name each rule once, got few, few"),
        ({"rules": []}, "rules"),
        ({"stop": 1.0}, "stop"),
        ({"stop": 0.5}, "stop"),
        ({"share": 0}, "share"),
        ({"most_seeds": 1}, "most_seeds"),
        ({"trainings": 3}, "trainings"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        confirmed(confirm=options)


def test_a_metric_without_values_is_skipped_by_its_rule() -> None:
    """The bowl has no `val_mse` at all: nothing is asked for it, and nothing breaks."""
    told = confirmed(confirm={**CONFIRM, "rules": ["all"]}, objectives=["val_mae_many", "val_mae_few"])
    state = simulate(told, 2).study.state
    assert state.round is not None
    assert len(state.of("confirmation")) <= state.round.trainings


@pytest.mark.parametrize(
    ("search", "missing"),
    [
        ({"constraints": {"val_mae_few": "<= 0.001"}}, "few, many"),
        ({"objectives": ["val_mae_few", "val_pearson_all"], "confirm": {"share": 0.5, "rules": ["all"]}}, "all"),
    ],
)
def test_rules_without_a_choice_are_named(search: dict[str, Any], missing: str) -> None:
    told = confirmed(**search)
    state = simulate(told, 3).study.state
    why = f"no finished trial satisfies the constraints and has all metrics of rule {missing}"
    assert ended_round(state, told) == f"the confirmation ended after 0 of 6 trainings: {why}"


def test_a_rule_with_a_choice_is_told_beside_one_without() -> None:
    objectives = ["val_mae_few", "val_pearson_all"]
    told = confirmed(objectives=objectives, confirm={"share": 3.0, "rules": ["few", "all"], "stop": 0.6})
    why = ended_round(simulate(told, 3).study.state, told)
    assert "each choice is the best with probability 0.6" in why
    assert why.endswith("has all metrics of rule all")


def test_a_gain_is_zero_where_nothing_can_change(study: Any) -> None:
    values = values_of(confirmed(), study.state)
    one = scores(values, ["val_mae_few"], np.array([0]))
    assert expected_gains(values, one, {})[0] == pytest.approx(0.0, abs=1e-12)


def test_running_trainings_lower_the_gain_of_their_configuration(study: Any) -> None:
    values = values_of(confirmed(), study.state)
    everyone = scores(values, ["val_mae_few"], np.arange(len(values.configurations)))
    free = expected_gains(values, everyone, {})
    best = max(free, key=lambda index: free[index])
    assert expected_gains(values, everyone, {best: 2})[best] < free[best]
    assert min(free.values()) >= 0.0


def test_the_gain_against_many_simulated_trainings(study: Any) -> None:
    """Draw the result of one training from the posterior, update the means by Bayes' rule, and choose again."""
    values = values_of(confirmed(), study.state)
    few = values.of("val_mae_few")
    chosen = np.arange(len(values.configurations))
    covariance, mean = few.covariance(chosen), few.costs
    at = int(np.argsort(mean)[1])
    rng = np.random.default_rng(0)
    true = rng.multivariate_normal(mean, covariance, size=200_000)
    result = true[:, at] + few.noise * rng.normal(size=len(true))
    weight = covariance[:, at] / (covariance[at, at] + few.noise**2)
    updated = mean + (result - mean[at])[:, None] * weight
    expected = (mean.min() - updated.min(axis=1).mean()) / few.noise
    gains = expected_gains(values, scores(values, ["val_mae_few"], chosen), {})
    assert gains[at] == pytest.approx(expected, rel=0.05, abs=1e-3)
