"""Simulated benchmarks: recorded seeds are never used twice, noise has the recorded size, tests keep their level."""

import numpy as np
import pytest

from analysis.benchmark.best_set import cannot_be_told_from_best
from tests.bench.bench_identical_methods import (
    Protocol,
    Recorded,
    blocks_of,
    different_over_blocks,
    different_over_seeds,
    main,
)


def recorded(configurations: int, seeds: int, between: float = 1.0, noise: float = 0.3) -> Recorded:
    rng = np.random.default_rng(0)
    means = 5 + between * rng.random((configurations, 1, 2))
    return Recorded(means + noise * rng.normal(size=(configurations, seeds, 2)))


def test_recorded_seeds_are_drawn_without_replacement() -> None:
    source, rng = recorded(6, 4), np.random.default_rng(1)
    drawn = source.draw(np.array([[0, 3], [5, 5]]), 4, rng)
    assert drawn.shape == (2, 2, 4, 2)
    for place, configuration in (((0, 0), 0), ((0, 1), 3), ((1, 0), 5), ((1, 1), 5)):
        assert sorted(map(tuple, drawn[place])) == sorted(map(tuple, source.values[configuration]))


def test_noise_replaces_seeds_that_are_missing() -> None:
    source, rng = recorded(300, 2), np.random.default_rng(1)
    drawn = source.draw(np.full(200, 150), 50, rng)
    assert drawn.mean(axis=(0, 1)) == pytest.approx(source.values[150].mean(axis=0), abs=0.05)
    near = source.draw(np.arange(300), 50, rng)
    assert near.std(axis=1).mean() == pytest.approx(0.3, rel=0.1)


def test_a_search_takes_its_lowest_trial_and_measures_it_on_another_seed() -> None:
    """Two configurations with three seeds: the first is lower on every seed."""
    source = Recorded(np.array([[[1.0, 7], [2, 8], [3, 9]], [[4, 1], [5, 2], [6, 3]]]))
    runs = Protocol(trials=2, measured=2).run(source, 100, np.random.default_rng(0))
    assert runs.shape == (100, 2, 2)
    assert set(runs[..., 0].ravel()) == {1.0, 2.0, 3.0}
    assert (runs[..., 0] + 6 == runs[..., 1]).all(), "both metrics are of the same training"
    assert (runs[:, 0] != runs[:, 1]).all()


def test_re_ranking_finds_the_better_configuration_more_often() -> None:
    source = Recorded(np.concatenate([recorded(10, 40, 0.0).values, recorded(10, 40, 0.0).values - 0.3]))
    plain, ranked = (
        Protocol(trials=6, top=3, confirm=confirm, measured=5).run(source, 3000, np.random.default_rng(0)).mean()
        for confirm in (0, 5)
    )
    assert ranked < plain


def test_blocks_keep_the_level_and_seeds_of_one_search_do_not() -> None:
    source, rng = recorded(200, 8), np.random.default_rng(0)
    first, second = (blocks_of(Protocol(), source, 2000, 5, rng) for _ in range(2))
    assert different_over_blocks(first, second).mean() == pytest.approx(0.05, abs=0.015)
    first, second = (Protocol(measured=5).run(source, 2000, rng) for _ in range(2))
    assert different_over_seeds(first, second)[:, 0].mean() > 0.05


def test_the_test_over_blocks_is_that_of_a_table() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(20, 5, 2)), rng.normal(size=(20, 5, 2)) + 1
    slow = [
        [not cannot_be_told_from_best(np.stack([a[:, m], b[:, m]], axis=1)).all() for m in range(2)]
        for a, b in zip(first, second, strict=True)
    ]
    assert different_over_blocks(first, second).tolist() == slow


def test_it_runs_on_the_recorded_digits(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--quick", "--benchmarks", "20"])
    shown = capsys.readouterr().out
    assert "| 1 block, 5 seeds measured | 17 | 0 |" in shown
    assert "| 5 blocks, 1 seed measured | 65 | 0.3 |" in shown
