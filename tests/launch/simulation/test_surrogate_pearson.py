"""Surrogates of a metric that is best at its highest value, and that may be negative: the correlation."""

from typing import Any

import numpy as np
import pytest

from groupdir.config.space import StudyConfig
from launch.schedulers import make_scheduler
from launch.screen.choices import best_values, choice_lines
from launch.simulation.clock import Clock
from launch.simulation.curves import Curve, Curves
from launch.simulation.quality import FrontQuality
from launch.simulation.simulated_study import SimulatedStudy
from launch.simulation.surrogate import Interpolated, Nearest

EPOCHS = 9
CONTENT: dict[str, Any] = {
    "name": "pearson",
    "data": {"name": "tests.toy.parts:Waves"},
    "encoder": {"name": "mlp", "widths": [8]},
    "method": {"name": "vanilla"},
    "optim": {"weight_decay": {"uniform": [0.0, 1.0]}},
    "train": {"epochs": EPOCHS},
    "search": {
        "objectives": ["val_pearson_all", "val_mae_all"],
        "trials": 24,
        "sampler": {"name": "hypervolume", "startup": 8},
        "scheduler": {"name": "asha", "metric": "val_pearson_all", "grace_period": 3},
    },
}
CONFIG = StudyConfig.from_dict(CONTENT)


def correlation(decay: float, epoch: int) -> float:
    """The correlation that a weight decay reaches: from -0.57 to 0.9, the highest at 0.7."""
    return (0.9 - 3 * (decay - 0.7) ** 2) * (1 - 0.5 / epoch)


def curve(decay: float, seed: int) -> Curve:
    shift = 0.02 * (-1) ** seed
    rows = []
    for epoch in range(1, EPOCHS + 1):
        metrics = {"val_pearson_all": correlation(decay, epoch), "val_mae_all": 5 + decay + 1 / epoch}
        noisy = {name: value + shift for name, value in metrics.items()}
        rows.append({"stage": "fit", "seconds": 1.0, **noisy})
    return Curve(seed, tuple(rows))


@pytest.fixture(scope="module")
def curves() -> Curves:
    rates = np.linspace(0, 1, 21)
    return Curves(
        CONFIG,
        [{"optim.weight_decay": float(decay)} for decay in rates],
        [[curve(decay, 0), curve(decay, 1)] for decay in rates],
    )


def test_the_interpolated_correlations_are_those_that_were_recorded(curves: Curves) -> None:
    source = Interpolated(curves, "val_pearson_all")
    for decay in (0.0, 0.35, 0.7):
        pearson, mae = source.draw({"optim.weight_decay": decay}, np.random.default_rng(0)).values
        best = max(range(1, EPOCHS + 1), key=lambda epoch: correlation(decay, epoch))
        assert pearson == pytest.approx(correlation(decay, best), abs=0.05)
        assert mae == pytest.approx(5 + decay + 1 / best, abs=0.05)
    assert all(share > 0.9 for share in source.explained.values())


def test_a_simulated_search_finds_the_highest_correlation(curves: Curves) -> None:
    source = Interpolated(curves, "val_pearson_all")
    quality = FrontQuality(source.known(), list(CONFIG.search.objectives.values()))
    driver = SimulatedStudy(CONFIG, metric="val_pearson_all")
    list(Clock(driver, source, 4).run())
    state = driver.study.state
    found = best_values(CONFIG, state)["val_pearson_all"]
    assert found is not None
    assert abs(state.trials[found["trial"]].params["optim.weight_decay"] - 0.7) < 0.15
    assert found["value"] > 0.6
    assert choice_lines(CONFIG, state)[0].startswith(f"best all: trial {found['trial']},")
    assert (
        0
        < quality.of([trial.value(name) for name in CONFIG.search.objectives] for trial in state.finished("search"))
        <= 1.1
    )


def test_the_nearest_curve_is_judged_at_its_highest_correlation(curves: Curves) -> None:
    source = Nearest(curves, "val_pearson_all")
    best = max(source.known())
    assert best[0] == pytest.approx(correlation(0.7, EPOCHS), abs=0.02)


def test_asha_keeps_the_highest_correlations() -> None:
    scheduler = make_scheduler(CONFIG.search)
    values = [0.1, 0.5, 0.9, -0.4, 0.3, 0.95]
    actions = [scheduler.decide(trial, 3, {"val_pearson_all": value}).action for trial, value in enumerate(values)]
    assert [value for value, action in zip(values, actions, strict=True) if action == "continue"] == [
        0.1,
        0.5,
        0.9,
        0.95,
    ]
