"""Recorded curves: read, written, looked up, interpolated."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from groupdir.config.space import StudyConfig
from groupdir.config.stage import Stage, epochs_of
from groupdir.config.trial import TrialConfig
from groupdir.errors import DataError
from groupdir.study.state import TrialState
from launch.sampling.design import design_point
from launch.simulation.clock import Clock
from launch.simulation.curves import Curve, Curves, load_curves, write_curves
from launch.simulation.quality import FrontQuality
from launch.simulation.searches import simulate
from launch.simulation.simulated_study import SimulatedStudy
from launch.simulation.surrogate import Interpolated, Nearest
from launch.study.new_trial import record_trial
from launch.study.study import Study
from tests.epoch_report import report
from tests.launch.conftest import CONTENT

NAMES = ("val_mae_all", "val_mae_many", "val_mae_median", "val_mae_few")


def rows(level: float, epochs: int = 6) -> tuple[dict[str, Any], ...]:
    return tuple(
        {"stage": "fit", "seconds": 1.5} | {name: level + index + 4 / epoch for index, name in enumerate(NAMES)}
        for epoch in range(1, epochs + 1)
    )


@pytest.fixture
def curves() -> Curves:
    """Errors grow with beta; the second seed is 0.2 worse."""
    config = StudyConfig.from_dict(CONTENT)
    params = [design_point(config.space, 0, number) for number in range(64)]
    levels = [2 + abs(float(np.log(point["method.beta"]))) for point in params]
    return Curves(config, params, [[Curve(0, rows(level)), Curve(1, rows(level + 0.2))] for level in levels])


def test_a_recorded_configuration_is_its_own_nearest(curves: Curves) -> None:
    assert [curves.nearest(params) for params in curves.params] == list(range(64))
    first = curves.params[0]
    close = first | {"method.beta": first["method.beta"] * 1.001}
    assert curves.nearest(close) == 0


def test_what_is_written_is_read_again(curves: Curves, tmp_path: Path) -> None:
    write_curves(curves, tmp_path / "curves.parquet")
    again = load_curves([tmp_path / "curves.parquet"])
    assert again.params == curves.params
    assert again.config.to_dict() == curves.config.to_dict()
    for mine, theirs in zip(curves.curves, again.curves, strict=True):
        assert [curve.seed for curve in mine] == [curve.seed for curve in theirs]
        for one, two in zip(mine, theirs, strict=True):
            for row, other in zip(one.rows, two.rows, strict=True):
                assert row["seconds"] == other["seconds"]
                assert all(abs(row[name] - other[name]) < 1e-4 for name in NAMES)


def test_curves_come_from_studies(study: Study, suggest: Callable[..., int], train: Callable[..., None]) -> None:
    train(study, suggest(study), [3.0, 2.0], "finished")
    train(study, suggest(study), [3.0], "stopped")
    found = load_curves([study.folder])
    assert len(found.params) == 1
    assert [row["val_mae_few"] for row in found.curves[0][0].rows] == [6.0, 5.0]


def stages(trial: TrialState) -> tuple[Stage, ...]:
    return TrialConfig.from_dict(trial.config).stages


def test_a_pre_training_is_no_part_of_a_curve(results: Path, train: Callable[..., None]) -> None:
    """Of three trials one trained the first stage, one took it; simulated, all meet the rungs of the last stage."""
    method = {**CONTENT["method"], "recipe": "two_stage", "pretrain": {"epochs": {"choice": [2, 3]}}}
    search = {**CONTENT["search"], "ablations": {}}
    made = Study.create(results / "staged", StudyConfig.from_dict({**CONTENT, "method": method, "search": search}))
    for number in range(3):
        params = design_point(made.config.space, 0, number)
        config = made.config.space.build(params)
        record_trial(made, config, params, "search", "", "val_mae_all")
        made.append("started", trial=number)
        first = epochs_of(config.stages, predicts=False)
        for epoch in range(1 + (first if number else 0), first + 5):
            metrics = dict.fromkeys(NAMES, float("nan") if epoch <= first else 9.0 - (epoch - first))
            payload = {**report(epoch, first), "last": epoch == first + 4, "metrics": metrics}
            made.append("epoch", trial=number, seed=0, epoch=epoch, payload=payload)
        made.append("finished", trial=number)
    made.close()
    curves = load_curves([made.folder])
    assert [[row["val_mae_all"] for row in seeds[0].rows] for seeds in curves.curves] == [[8.0, 7.0, 6.0, 5.0]] * 3
    driver = SimulatedStudy(curves.config)
    ticks = list(Clock(driver, Nearest(curves), 2).run())
    trials = driver.study.state.trials.values()
    asked = {epoch - epochs_of(stages(trial), predicts=False) for trial in trials for epoch in trial.decisions}
    assert asked == {1, 2}, "rungs"
    assert len(ticks) == driver.study.state.epochs


def test_mistakes_are_said(study: Study, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no trial has finished"):
        load_curves([study.folder])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        load_curves([tmp_path / "none.parquet"])


def test_nearest_gives_one_of_the_seeds_and_is_judged_by_their_mean(curves: Curves) -> None:
    source, rng = Nearest(curves), np.random.default_rng(0)
    drawn = [source.draw(curves.params[3], rng) for _ in range(40)]
    assert {id(item.rows) for item in drawn} == {id(curve.rows) for curve in curves.curves[3]}
    last = [curve.rows[-1] for curve in curves.curves[3]]
    assert drawn[0].values == pytest.approx([np.mean([row[name] for row in last]) for name in NAMES[1:]])


def test_one_seed_has_other_noise_for_other_parameters(curves: Curves) -> None:
    """Otherwise all trials of a search with shared seeds would be compared without any noise."""
    source = Interpolated(curves)
    points = [design_point(curves.config.space, 9, number) for number in range(40)]
    drawn = [source.draw(point, np.random.default_rng(5)) for point in points]
    higher = [item.rows[-1]["val_mae_many"] > item.values[0] for item in drawn]
    assert 8 < sum(higher) < 32


def test_the_surrogate_is_close_and_as_noisy_as_the_seeds(curves: Curves) -> None:
    source, rng = Interpolated(curves), np.random.default_rng(0)
    new = [design_point(curves.config.space, 9, number) for number in range(50)]
    true = np.array([2.1 + abs(np.log(point["method.beta"])) + 1 + 4 / 6 for point in new])
    drawn = [source.draw(point, rng) for point in new]
    guessed = np.array([item.values[0] for item in drawn])
    assert np.abs(guessed - true).mean() < 0.3 * np.abs(true - true.mean()).mean() + 0.15
    noise = np.array([item.rows[-1]["val_mae_many"] - item.values[0] for item in drawn])
    assert np.abs(noise) == pytest.approx(0.2 / np.sqrt(2), abs=0.02), "a pair's difference, halved in variance"
    with pytest.raises(ValueError, match="two seeds"):
        Interpolated(Curves(curves.config, curves.params, [item[:1] for item in curves.curves]))


def test_the_best_known_front_is_the_measure() -> None:
    quality = FrontQuality([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5], [2.0, 2.0]], ["min", "min"])
    assert quality.front_size == 3
    assert quality.reference == pytest.approx([1.1, 1.1])
    assert quality.of([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]]) == pytest.approx(1.0)
    assert quality.of([]) == quality.of([[3.0, 3.0]]) == 0.0
    assert 0 < quality.of([[0.5, 0.5]]) < 1


def test_a_front_of_one_configuration_can_be_reached() -> None:
    """The reference point is a tenth of the range of all configurations beyond the best one."""
    quality = FrontQuality([[3.0], [1.0], [2.0]], ["min"])
    assert quality.reference == pytest.approx([1.2])
    assert [quality.of([[value]]) for value in (1.0, 1.1, 2.0)] == pytest.approx([1.0, 0.5, 0.0])
    assert FrontQuality([[3.0, 2.0]], ["min", "min"]).of([[3.0, 2.0]]) == 1.0


def test_a_simulated_search_has_no_confirmation(curves: Curves) -> None:
    search = {"trials": 6, "sampler": {"name": "random"}, "scheduler": {"name": "none"}}
    quality = FrontQuality(Nearest(curves).known(), list(curves.config.search.objectives.values()))
    plain = simulate(curves, Nearest(curves), quality, search, workers=2, seed=0)
    content = curves.config.to_dict()
    confirm = {"share": 1.0, "rules": ["few"]}
    config = StudyConfig.from_dict({**content, "search": {**content["search"], "confirm": confirm}})
    told = Curves(config, curves.params, curves.curves)
    assert simulate(told, Nearest(told), quality, search, workers=2, seed=0) == plain


def test_the_recorded_digits_can_be_searched(root: Path) -> None:
    """The file that tests/bench/record_digits_curves.sh makes, with six or two seeds of each configuration."""
    recorded = load_curves([root / "tests" / "data" / "digits_curves.parquet"])
    assert len(recorded.params) >= 300
    counts = [len(seeds) for seeds in recorded.curves]
    assert set(counts) == {2, 6}
    assert counts.count(6) >= 128
    assert recorded.longest == 30
    source = Nearest(recorded)
    quality = FrontQuality(source.known(), list(recorded.config.search.objectives.values()))
    search = {"trials": 40, "sampler": {"name": "random"}, "scheduler": {"name": "pareto_asha", "grace_period": 5}}
    result = simulate(recorded, source, quality, search, workers=8, seed=0)
    assert 40 * 5 <= result.epochs < 40 * 30 * 0.6
    shares = [point.hypervolume for point in result.points]
    assert 0 < shares[-1] <= 1 + 1e-9
    assert shares == sorted(shares)
