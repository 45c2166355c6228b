"""The benchmark of searches: its synthetic front is the front, it judges what is shown, and marks what is shown."""

from typing import Any

import numpy as np
import pytest

from launch.pareto import dominates
from launch.sampling.design import design
from launch.simulation.quality import FrontQuality
from launch.simulation.searches import with_search
from launch.simulation.simulated_study import SimulatedStudy
from tests.bench.search_judge import judged, shown
from tests.bench.search_rows import OURS, QUASI
from tests.bench.search_sources import Searched
from tests.bench.search_tables import epochs_to, volume_at, volumes_table
from tests.bench.synthetic import EPOCHS, Synthetic


@pytest.fixture(scope="module")
def synthetic() -> Searched:
    source = Synthetic()
    quality = FrontQuality(source.known(), ["min"] * 3)
    return Searched(source.config, source, quality, "val_mae_all", EPOCHS, False)


def test_no_configuration_is_better_than_the_known_front(synthetic: Searched) -> None:
    source = synthetic.source
    assert isinstance(source, Synthetic)
    known = np.asarray(source.known())
    assert not dominates(known[:512, None], known[None, :512]).any(), "no member is worse than another"
    found = np.stack([source.ends(params) for params in design(source.config.space, 0, 2048)])
    beaten = dominates(found[:, None], known[None], 1e-2).any()
    assert not beaten
    best = np.asarray([synthetic.quality.of([tuple(row)]) for row in found])
    assert 0.2 < best.max() < 1.0


def test_a_synthetic_training_ends_near_its_errors(synthetic: Searched) -> None:
    params = design(synthetic.config.space, 1, 1)[0]
    drawn = [synthetic.source.draw(params, np.random.default_rng(seed)) for seed in range(40)]
    reported = np.asarray([one.reported for one in drawn])
    assert np.median(reported / np.asarray(drawn[0].values), axis=0) == pytest.approx(1.0, abs=0.05)
    assert reported.std(axis=0).min() > 0.0
    first = np.asarray([one.rows[0]["val_mae_few"] for one in drawn])
    assert (first > reported[:, 2]).all(), "it has fallen"


def test_ours_shows_the_front_of_its_estimates_and_the_judge_sees_no_noise(synthetic: Searched) -> None:
    config = with_search(
        synthetic.config, {"trials": 12, "sampler": {"name": "qmc"}, "scheduler": {"name": "none"}, "seed": 1}
    )
    driver = SimulatedStudy(config)
    points = judged(driver, config, synthetic, 2, 1, range(30, 12 * 30 + 1, 30))
    assert len(points) == 12
    assert [point.epochs for point in points] == list(range(30, 361, 30))
    assert points[-1].hypervolume > points[0].hypervolume
    assert shown(driver, config, synthetic, {}) == []


def run(row: str, seed: int, volumes: list[float]) -> dict[str, Any]:
    epochs = [30 * 7 * step for step in range(1, len(volumes) + 1)]
    return {"row": row, "seed": seed, "longest": 30, "epochs": epochs, "volumes": volumes}


def test_the_table_marks_what_is_shown() -> None:
    rng = np.random.default_rng(0)
    runs = []
    for seed in range(12):
        noise = 0.01 * rng.random()
        runs.append(run(OURS, seed, list(np.linspace(0.1, 0.8, 16) + noise)))
        runs.append(run(QUASI, seed, list(np.linspace(0.1, 0.6, 16))))
        runs.append(run("better", seed, list(np.linspace(0.2, 0.9, 16))))
        runs.append(run("level", seed, list(np.linspace(0.1, 0.8, 16) + 0.005 + 0.02 * (rng.random() - 0.5))))
    assert volume_at(runs[1], 112 * 30) == pytest.approx(0.6)
    assert volume_at(runs[1], 100) == 0.0
    assert epochs_to(runs[1], 0.6) == 3360
    assert epochs_to(runs[1], 0.7) == np.inf
    lines = {line.split("|")[1].strip(): line for line in volumes_table(runs)}
    assert lines[QUASI].count("*") == 3
    assert lines["better"].count("†") == 3
    assert not {"*", "†"} & set(lines["level"])
    assert "| 12 |" in lines[OURS]
