"""The benchmark's rivals do what is said of them: else the comparison would mean nothing."""

from pathlib import Path

import pytest

from groupdir.config.space import StudyConfig, load_space
from launch.schedulers.ladder import Ladder
from launch.simulation.curves import load_curves
from launch.simulation.quality import FrontQuality
from launch.simulation.searches import run, with_search
from launch.simulation.surrogate import Nearest
from tests.bench.rivals.faulty_rules import IndicesAsRanks, NeverHalves, ladder_of
from tests.bench.rivals.ray_tune import RayDriver

OBJECTIVES = ("val_mae_many", "val_mae_median", "val_mae_few")


@pytest.fixture
def config(root: Path) -> StudyConfig:
    scheduler = {"name": "pareto_asha", "mode": "promote", "grace_period": 1, "reduction_factor": 2}
    return with_search(load_space(root / "search_spaces" / "digits.yaml"), {"scheduler": scheduler, "trials": 40})


def row(many: float, few: float) -> dict[str, float]:
    return {"val_mae_many": many, "val_mae_median": many, "val_mae_few": few}


def test_indices_as_ranks_stops_a_newcomer_on_the_front(config: StudyConfig) -> None:
    """The newcomer is the best of all, but what is read as its rank is the index of the worst trial."""
    faulty, right = IndicesAsRanks(ladder_of(config)), stop_mode(config)
    arrivals = [row(1.0, 9.0), row(2.0, 8.0), row(8.0, 9.5), row(9.0, 9.6), row(0.5, 0.5)]
    wrong = [faulty.decide(trial, 1, values).action for trial, values in enumerate(arrivals)]
    assert right.decide(0, 1, arrivals[0]).action == "continue"
    answers = [right.decide(trial, 1, values).action for trial, values in enumerate(arrivals)]
    assert answers[-1] == "continue"
    assert wrong[-1] == "stop"


def stop_mode(config: StudyConfig) -> Ladder:
    scheduler = {"name": "pareto_asha", "mode": "stop", "grace_period": 1, "reduction_factor": 2}
    return ladder_of(with_search(config, {"scheduler": scheduler}))


@pytest.mark.parametrize(("make", "expected"), [(NeverHalves, 15), (lambda ladder: ladder, 8)])
def test_never_halves_lets_almost_all_go_on(config: StudyConfig, make: type[NeverHalves], expected: int) -> None:
    scheduler = make(ladder_of(config))
    for trial in range(16):
        scheduler.decide(trial, 1, row(trial, trial))
    gone = 0
    while found := scheduler.promotable(lambda _: True):
        scheduler.promote(*found)
        gone += 1
    assert gone == expected


@pytest.mark.parametrize("optuna", [False, True])
def test_rays_own_objects_run_in_the_simulator(root: Path, config: StudyConfig, optuna: bool) -> None:
    curves = load_curves([root / "tests" / "data" / "digits_curves.parquet"])
    source = Nearest(curves)
    quality = FrontQuality(source.known(), ["min"] * len(OBJECTIVES))
    driver = RayDriver(with_search(config, {"scheduler": {"grace_period": 5, "reduction_factor": 2}}), optuna)
    result = run("ray", driver, source, quality, workers=8, seed=0)
    finished = len(result.points)
    assert 3 <= finished <= 20, "ASHA stops most of 40"
    assert 40 * 5 <= result.epochs < 40 * 30
    assert len({str(driver.params(trial)) for trial in range(40)}) == 40
