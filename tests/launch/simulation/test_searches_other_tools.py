"""Other tools run in the simulator as their users would run them: told the same values, with their own rules."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optuna.trial import TrialState

from groupdir.config.domains import Choice, IntRange, LogUniform, Uniform
from groupdir.config.parameters import Conditional, Space
from groupdir.config.space import StudyConfig
from groupdir.study.state import key_of, selected
from launch.simulation.clock import Driver
from launch.simulation.curves import Curves, load_curves
from launch.simulation.quality import FrontQuality
from launch.simulation.searches import Result, run, with_search
from launch.simulation.surrogate import Nearest
from tests.bench.rivals.faulty_rules import ladder_of
from tests.bench.rivals.moasha import Moasha, places
from tests.bench.rivals.optuna_study import OptunaDriver, OptunaHyperband
from tests.bench.rivals.rival import Rival
from tests.bench.rivals.rows import left_out, rivals
from tests.bench.rivals.unit_box import UnitBox

SCHEDULER = {"name": "pareto_asha", "mode": "stop", "grace_period": 5, "reduction_factor": 2}


@pytest.fixture(scope="module")
def curves(root: Path) -> Curves:
    return load_curves([root / "tests" / "data" / "digits_curves.parquet"])


@pytest.fixture(scope="module")
def search(curves: Curves) -> Callable[..., Result]:
    source = Nearest(curves)
    quality = FrontQuality(source.known(), list(curves.config.search.objectives.values()))
    return lambda driver, workers=2: run("rival", driver, source, quality, workers=workers, seed=1)


def study(curves: Curves, trials: int) -> StudyConfig:
    return with_search(curves.config, {"scheduler": SCHEDULER, "trials": trials, "seed": 1})


# Every row ------------------------------------------------------------------------------------------------------------


SLOW = ("Optuna's GP", "BoTorch", "SMAC3")  # rows that fit models


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name.startswith(SLOW) else ()) for name in rivals()]
)
def test_every_row_searches_to_its_end(curves: Curves, search: Callable[..., Result], name: str) -> None:
    if reason := left_out([name]).get(name):
        pytest.skip(reason)
    trials = 20 if "BoTorch" in name else 12
    driver = rivals()[name](study(curves, trials))
    result = search(driver)
    assert result.points[-1].hypervolume > 0.05
    full = not any(word in name for word in ("Hyperband", "ASHA"))
    assert (len(result.points) == trials) if full else (1 <= len(result.points) < trials)
    assert (result.epochs == trials * 30) if full else (result.epochs < trials * 30)
    distinct = {key_of(driver.params(trial)) for trial in range(trials if full else len(result.points))}
    assert len(distinct) == (trials if full else len(result.points)) or "ParEGO" in name


def test_what_is_not_installed_is_said_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.rivals.rows.find_spec", lambda package: None)
    reasons = left_out(list(rivals()))
    assert sorted(reasons) == [name for name in sorted(rivals()) if name.startswith(("BoTorch", "SMAC3"))]
    assert reasons["BoTorch's qLogNEHVI"] == ('botorch is not installed: pip install -e ".[bench]" -c constraints.txt')


def test_a_search_gives_the_same_trials_again(curves: Curves, search: Callable[..., Result]) -> None:
    drivers = [OptunaHyperband(study(curves, 12)) for _ in range(2)]
    assert search(drivers[0]).points == search(drivers[1]).points
    assert [drivers[0].params(trial) for trial in range(12)] == [drivers[1].params(trial) for trial in range(12)]


# What a tool is told --------------------------------------------------------------------------------------------------


def test_optuna_is_told_the_epoch_that_represents_the_trial(curves: Curves, search: Callable[..., Result]) -> None:
    driver = OptunaDriver(study(curves, 6), "nsga2")
    search(driver)
    assert len(driver._study.trials) == 6
    for number, trial in enumerate(driver._study.trials):
        rows = driver._rows[number]
        best = selected(rows, "best", "val_mae_all")
        assert trial.values == [best[name] for name in driver.search.objectives]
        assert len(rows) == 30


def test_a_failed_trial_has_no_values(curves: Curves) -> None:
    driver = OptunaDriver(study(curves, 6))
    driver.following()
    driver.end(0, "failed", 0)
    assert driver._study.trials[0].state is TrialState.FAIL
    assert driver.costs(0) is None


def test_a_pruned_trial_is_told_as_pruned(curves: Curves, search: Callable[..., Result]) -> None:
    driver = OptunaHyperband(study(curves, 20))
    result = search(driver)
    states = [trial.state for trial in driver._study.trials]
    assert states.count(TrialState.COMPLETE) == len(result.points)
    assert states.count(TrialState.PRUNED) == 20 - len(result.points)
    complete = next(trial for trial in driver._study.trials if trial.state is TrialState.COMPLETE)
    assert complete.value == min(complete.intermediate_values.values())
    pruned = [trial.last_step for trial in driver._study.trials if trial.state is TrialState.PRUNED]
    assert set(pruned) <= {5, 15}, "rungs at 5 and 15 epochs, the second bracket's first at 15"


class Silent(Rival):
    def suggest(self, number: int) -> dict[str, Any]:
        return {}

    def tell(self, trial: int, how: str) -> None:
        pass


def test_a_rival_does_not_pretend_to_resume(curves: Curves) -> None:
    with pytest.raises(NotImplementedError, match="a search by Silent cannot be resumed"):
        Silent(study(curves, 2)).restart([])


# MO-ASHA --------------------------------------------------------------------------------------------------------------


def test_members_are_ordered_by_front_and_then_far_from_each_other() -> None:
    front = [[0.0, 10.0], [10.0, 0.0], [0.5, 9.0], [4.0, 4.0]]
    assert places(np.array([[11.0, 11.0], *front])).tolist() == [4, 0, 1, 3, 2]


def test_moasha_lets_one_more_go_on_than_our_rule(curves: Curves) -> None:
    """Places 0, 1 and 2 of four are within a half; ours lets two of four go on."""
    rule = Moasha({"val_mae_many": "min", "val_mae_few": "min"}, grace_period=5, reduction_factor=2)
    arrivals = [(1.0, 1.0), (2.0, 2.0), (5.0, 5.0), (4.0, 4.0), (3.0, 3.0), (3.5, 3.5), (6.0, 6.0)]
    said = [
        rule.decide(trial, 5, {"val_mae_many": many, "val_mae_few": few}).action
        for trial, (many, few) in enumerate(arrivals)
    ]
    assert said == ["continue", "continue", "stop", "continue", "continue", "continue", "stop"]
    ladder = ladder_of(with_search(curves.config, {"scheduler": SCHEDULER}))
    ours = [
        ladder.decide(trial, 5, {"val_mae_many": many, "val_mae_median": many, "val_mae_few": few}).action
        for trial, (many, few) in enumerate(arrivals)
    ]
    assert ours == ["continue", "continue", "stop", "stop", "stop", "stop", "stop"]
    assert list(rule.rung_epochs(30)) == [5, 10, 20]
    assert rule.decide(9, 7, {}).action == "continue"
    assert rule.decide(2, 5, {}).action == "stop", "a second report gets the first answer"


# Spaces ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def space() -> Space:
    return Space(
        fixed={},
        open={
            "groups": Choice((2, 50, 5)),
            "kind": Choice(("a", "b", "c")),
            "flag": Choice((None, {"mode": "sqrt"})),
            "lr": LogUniform(0.01, 1.0),
            "steps": IntRange(1, 9, 4),
            "size": IntRange(1, 100, log=True),
            "share": Uniform(0.0, 1.0, 0.25),
            "depth": Conditional("kind", {"a": IntRange(1, 3), "b": 7, "c": Uniform(0.0, 2.0)}),
        },
    )


def test_a_point_of_the_box_gives_parameters_and_its_rounding_the_same(space: Space) -> None:
    box = UnitBox(space)
    assert box.size == 11, "three coordinates for the choice of words, one for each other parameter and case"
    rng = np.random.default_rng(0)
    seen: set[str] = set()
    for point in rng.random((200, box.size)):
        rounded = box.rounded(point)
        assert box.params(rounded) == box.params(point)
        assert np.allclose(box.rounded(rounded), rounded)
        assert ((rounded >= 0) & (rounded <= 1)).all()
        seen |= {f"{name}={value}" for name, value in box.params(point).items() if name in ("groups", "kind", "share")}
    assert len(seen) == 3 + 3 + 5
    ends = [box.params(np.full(box.size, end))["groups"] for end in (0.0, 0.5, 1.0)]
    assert ends == [2, 5, 50], "numbers are in their order, not in the order of the list"


def test_smac_knows_the_conditions(space: Space) -> None:
    pytest.importorskip("ConfigSpace", reason='needs the extra "bench"')
    from tests.bench.rivals.smac_space import config_space, params_of

    known = config_space(space, seed=3)
    drawn = [params_of(space, config) for config in known.sample_configuration(60)]
    assert {params["kind"] for params in drawn} == {"a", "b", "c"}
    for params, config in zip(drawn, known.sample_configuration(60), strict=True):
        assert set(params) == set(space.suggest(lambda name, _, params=params: params[name]))
        assert ("depth|a" in config) == (params_of(space, config)["kind"] == "a")
    assert {params["flag"] is None for params in drawn} == {True, False}
    assert {params["share"] for params in drawn} <= {0.0, 0.25, 0.5, 0.75, 1.0}
    assert {params["steps"] for params in drawn} == {1, 5, 9}


def test_hyperband_of_smac_continues_from_checkpoints(curves: Curves, search: Callable[..., Result]) -> None:
    pytest.importorskip("smac", reason='needs the extra "bench"')
    from tests.bench.rivals.smac_search import SmacDriver

    driver = SmacDriver(study(curves, 14), hyperband=True)
    result = search(driver)
    lengths = [len(rows) for rows in driver._rows]
    assert set(lengths) == {10, 30}
    assert result.epochs == sum(lengths), "no epoch is trained twice"
    continued = 14 - len(lengths)
    assert continued >= 2
    assert all([row["fidelity"] for row in rows] == list(range(1, len(rows) + 1)) for rows in driver._rows)


def test_smac_trains_the_best_with_further_seeds(curves: Curves, search: Callable[..., Result]) -> None:
    pytest.importorskip("smac", reason='needs the extra "bench"')
    from tests.bench.rivals.smac_search import SmacDriver

    def configurations(driver: Driver) -> int:
        search(driver)
        return len({key_of(driver.params(trial)) for trial in range(16)})

    assert configurations(SmacDriver(study(curves, 16))) < 16
    assert configurations(SmacDriver(study(curves, 16), deterministic=True)) == 16
