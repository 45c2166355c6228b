"""Decisions against the definition of who must stay and who must go, and every corner case that the class names."""

import itertools
import math
from typing import Any

import numpy as np
import pytest

from groupdir.config.search import SearchConfig
from launch.schedulers import ParetoASHA
from launch.schedulers.base import Decision, decision_on
from launch.schedulers.pareto_asha import ParetoHalving
from tests.launch.oracle import must_go, must_stay

OBJECTIVES = {"a": "min", "b": "max", "c": "min", "d": "max"}
SEQUENCES = 700  # of arrivals, for each tie-break; a decision is checked after each: 20,000 rungs


def asha(names: str = "ab", **options: Any) -> ParetoASHA:
    told = {"grace_period": 1, "reduction_factor": 3, "max_t": 81} | options
    return ParetoASHA({name: OBJECTIVES[name] for name in names}, **told)


def row(names: str, vector: Any) -> dict[str, float]:
    return dict(zip(names, map(float, vector), strict=True))


def random_rung(rng: np.random.Generator) -> tuple[str, np.ndarray]:
    """3 to 60 members; half the time few distinct values (ties, copies), now and then a failure."""
    names = "abcd"[: rng.integers(2, 5)]
    shape = (int(rng.integers(3, 61)), len(names))
    vectors = rng.integers(0, 6, shape).astype(float) if rng.random() < 0.5 else rng.random(shape)
    if rng.random() < 0.3:
        vectors[rng.random(shape) < 0.05] = math.nan
    return names, vectors


@pytest.mark.slow
@pytest.mark.parametrize("tie_break", ["crowding", "epsilon_net"])
def test_nobody_is_stopped_or_kept_wrongly(tie_break: str) -> None:
    rng = np.random.default_rng(5 if tie_break == "crowding" else 6)
    wrong = rungs = 0
    for _ in range(SEQUENCES):
        names, vectors = random_rung(rng)
        eta = float(rng.choice([2, 3, 4]))
        directions = [OBJECTIVES[name] for name in names]
        scheduler = asha(names, reduction_factor=eta, min_peers=3, tie_break=tie_break)
        for trial, vector in enumerate(vectors):
            stopped = scheduler.decide(trial, 1, row(names, vector)).action == "stop"
            there = vectors[: trial + 1]
            if len(there) >= 3:
                rungs += 1
                wrong += stopped and trial in must_stay(there, directions, eta)
                wrong += not stopped and trial in must_go(there, directions, eta)
    assert rungs >= 20_000
    assert not wrong, f"{wrong} wrong decisions of {rungs}"


@pytest.mark.slow
@pytest.mark.parametrize("tie_break", ["crowding", "epsilon_net"])
def test_the_best_of_the_whole_rung_are_promoted(tie_break: str) -> None:
    rng = np.random.default_rng(7)
    for _ in range(SEQUENCES):
        names, vectors = random_rung(rng)
        directions = [OBJECTIVES[name] for name in names]
        scheduler = asha(names, mode="promote", min_peers=3, tie_break=tie_break)
        for trial, vector in enumerate(vectors):
            scheduler.decide(trial, 1, row(names, vector))
        promoted = set()
        while found := scheduler.promotable(lambda _: True):
            scheduler.promote(*found)
            promoted.add(found[0])
        assert must_stay(vectors, directions, 3) <= promoted
        assert not must_go(vectors, directions, 3) & promoted
        finite = np.isfinite(vectors).all(axis=1).sum()
        assert len(promoted) == min(max(1, len(vectors) // 3), finite)


@pytest.mark.parametrize("eta", [2, 3])
@pytest.mark.parametrize("mode", ["stop", "promote"])
def test_rungs_shrink_by_eta(mode: str, eta: int) -> None:
    """900 trials of random, constant quality: each rung has about 1/eta of the one below."""
    rng = np.random.default_rng(1)
    scheduler = asha(reduction_factor=eta, max_t=eta**3 + 1, mode=mode)
    vectors = rng.random((900, 2))
    for trial in range(900):
        run(scheduler, trial, vectors[trial], 1)
        while found := scheduler.promotable(lambda _: True):
            scheduler.promote(*found)
            run(scheduler, int(found[0]), vectors[int(found[0])], found[1] + 1)
    sizes = [len(scheduler.ladder.rungs[eta**k]) for k in range(4)]
    assert sizes[0] == 900
    for below, above in itertools.pairwise(sizes):
        assert 0.6 * below / eta <= above <= 1.5 * below / eta, sizes


def run(scheduler: ParetoASHA, trial: int, vector: Any, epoch: int) -> None:
    while scheduler.decide(trial, epoch, row("ab", vector)).action == "continue":
        epoch += 1


def test_a_small_rung_stops_nobody() -> None:
    scheduler = asha(min_peers=4)
    actions = [scheduler.decide(i, 1, {"a": float(i), "b": -float(i)}).action for i in range(5)]
    assert actions == ["continue", "continue", "continue", "stop", "stop"]


def test_a_failure_is_never_good_and_counts_as_a_loser() -> None:
    scheduler = asha(min_peers=1, reduction_factor=3)
    for trial, value in enumerate([math.nan, math.inf, -math.inf]):
        decision = scheduler.decide(trial, 1, {"a": 1.0, "b": value})
        assert decision.action == "stop"
        assert "no finite value of b" in decision.reason
    assert scheduler.decide(3, 1, {"a": 1.0}).action == "stop", "b is missing"
    assert scheduler.decide(4, 1, {"a": 9.0, "b": -9.0}).action == "continue", "all others have failed"
    assert scheduler.decide(5, 1, {"a": 8.0, "b": -8.0}).action == "continue"
    assert scheduler.decide(6, 1, {"a": 7.0, "b": -9.0}).action == "continue", "7 members, 2 places: a front of two"
    waiting = asha(mode="promote", min_peers=1)
    waiting.decide(0, 1, {"a": 1.0, "b": math.nan})
    assert waiting.promotable(lambda _: True) is None


def test_equals_keep_the_order_in_which_they_came() -> None:
    scheduler = asha(min_peers=1, reduction_factor=2)
    actions = [scheduler.decide(i, 1, {"a": 1.0, "b": 1.0}).action for i in range(6)]
    assert actions == ["continue", "stop", "stop", "stop", "stop", "stop"]


def test_a_copy_takes_no_place_of_one_that_is_different() -> None:
    """One front of six with three places: the three that are different, whatever came first."""
    scheduler = asha(mode="promote", reduction_factor=2)
    for trial, vector in enumerate([(1, 1), (1, 1), (1, 1), (1, 1), (0, 0), (2, 2)]):
        scheduler.decide(trial, 1, row("ab", vector))
    promoted = []
    while found := scheduler.promotable(lambda _: True):
        scheduler.promote(*found)
        promoted.append(found[0])
    assert promoted == [0, 4, 5]


def test_a_report_that_skips_a_rung_is_not_compared_there() -> None:
    scheduler = asha(min_peers=1)
    assert scheduler.decide(0, 5, {"a": 0.0, "b": 9.0}).action == "continue"
    assert not scheduler.ladder.rungs
    assert scheduler.decide(1, 3, {"a": 5.0, "b": 5.0}).action == "continue", "the first at rung 3"
    assert scheduler.decide(0, 9, {"a": 5.0, "b": 5.0}).action == "continue", "the first at rung 9"


def test_a_stage_that_predicts_nothing_is_not_judged() -> None:
    """Whatever it is called, and whatever it reports."""
    scheduler = asha(min_peers=1)
    place = {"stage": "anything", "predicts": False, "fidelity": 1}
    assert decision_on(scheduler, 0, {**place, "a": math.nan, "b": math.nan}) == Decision()
    assert decision_on(scheduler, 0, {**place, "a": 1.0, "b": 1.0}) == Decision()
    assert not scheduler.ladder.rungs
    assert decision_on(scheduler, 0, {**place, "predicts": True, "a": 1.0, "b": 1.0}).reason
    assert len(scheduler.ladder.rungs[1]) == 1


def test_a_late_report_gets_the_first_answer() -> None:
    scheduler = asha(min_peers=1)
    first = scheduler.decide(0, 1, {"a": 1.0, "b": 1.0})
    assert scheduler.decide(1, 1, {"a": 2.0, "b": 0.0}).action == "stop"
    assert scheduler.decide(0, 1, {"a": 99.0, "b": -99.0}) == first
    assert len(scheduler.ladder.rungs[1]) == 2


def test_the_last_epoch_ends_a_trial() -> None:
    scheduler = asha(max_t=9)
    assert list(scheduler.rung_epochs(100)) == [1, 3], "no rung where trials end anyway"
    assert scheduler.decide(0, 9, {"a": 1.0, "b": 1.0}).action == "stop"
    assert scheduler.decide(1, 50, {"a": 1.0, "b": 1.0}).action == "stop"
    endless = asha(max_t=None)
    assert [next(iter(endless.ladder.epochs())), *endless.rung_epochs(100)] == [1, 1, 3, 9, 27, 81]


def test_rungs_at_fractional_powers_are_rounded_and_distinct() -> None:
    scheduler = asha(grace_period=1, reduction_factor=1.4, max_t=12)
    assert list(scheduler.rung_epochs(12)) == [1, 2, 3, 4, 5, 8, 11]


def test_an_epsilon_by_name() -> None:
    scheduler = asha(epsilon={"a": 0.5}, min_peers=1, reduction_factor=2)
    scheduler.decide(0, 1, {"a": 1.0, "b": 1.0})
    scheduler.decide(1, 1, {"a": 9.0, "b": -9.0})
    scheduler.decide(2, 1, {"a": 9.0, "b": -9.0})
    assert scheduler.decide(3, 1, {"a": 1.4, "b": 1.0}).action == "continue", "0.4 worse is noise: a front of two"
    strict = asha(min_peers=1, reduction_factor=2)
    for trial, a in enumerate([1.0, 9.0]):
        strict.decide(trial, 1, {"a": a, "b": 1.0})
    assert strict.decide(2, 1, {"a": 1.4, "b": 1.0}).action == "stop"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grace_period": 0}, "grace_period must be >= 1"),
        ({"reduction_factor": 1}, "reduction_factor must be > 1"),
        ({"max_t": 1, "grace_period": 2}, "max_t must be >= grace_period"),
        ({"min_peers": 0}, "min_peers must be >= 1"),
        ({"mode": "halt"}, "mode must be stop or promote"),
        ({"tie_break": "coin"}, "tie_break must be one of"),
        ({"epsilon": {"z": 1.0}}, "epsilon must name objectives"),
        ({"epsilon": math.nan}, "epsilon must be finite"),
    ],
)
def test_mistakes_are_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        asha(**options)


def test_no_objective_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="objectives must name"):
        ParetoASHA({})


def test_a_study_and_a_tuner_decide_the_same() -> None:
    """Every option of a study's section reaches its ladder."""
    options: dict[str, Any] = {
        "grace_period": 2,
        "reduction_factor": 2.0,
        "max_t": 9,
        "mode": "promote",
        "min_peers": 4,
    }
    options |= {"tie_break": "epsilon_net", "epsilon": {"val_mae_few": 0.5}}
    objectives = {"val_mae_few": "min", "val_pearson_all": "max"}
    search = SearchConfig.model_validate({"objectives": objectives, "scheduler": {"name": "pareto_asha", **options}})
    ours, rays = ParetoHalving.from_config(search), ParetoASHA(objectives, **options).ladder
    public = {name: value for name, value in vars(ours).items() if not isinstance(value, dict)}
    assert public == {name: vars(rays)[name] for name in public}
    assert (ours.objectives, ours.grace_period, ours.max_t, ours.mode) == (objectives, 2, 9, "promote")


@pytest.mark.parametrize(
    ("objectives", "says"),
    [
        ({"loss": "up"}, "the direction of loss must be min or max, got 'up'"),
        ({"val_mae_few": "max"}, "val_mae_few must be min, because the lowest mean absolute error is best, got max"),
        ({"val_pearson_all": "min"}, "val_pearson_all must be max, because the highest Pearson"),
        (["val_mae_few"], "objectives must map each metric to min or max"),
    ],
)
def test_a_wrong_direction_is_refused(objectives: dict[str, str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ParetoASHA(objectives)
