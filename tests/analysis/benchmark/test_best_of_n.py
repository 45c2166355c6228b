"""Expected best of n trials: all draws counted, no bias, and curves over blocks."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from analysis.benchmark.best_of_n import best_of_n, expected_best
from groupdir.files.benchmark_pack import read_benchmark
from tests.analysis.benchmark.folders import made, searched


@pytest.mark.parametrize("costs", [[5.0], [2.0, 1.0], [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0]])
def test_it_is_the_mean_over_all_draws_without_replacement(costs: list[float]) -> None:
    slow = [np.mean([min(draw) for draw in itertools.combinations(costs, n)]) for n in range(1, len(costs) + 1)]
    assert expected_best(costs) == pytest.approx(slow)


def test_it_has_no_bias() -> None:
    """The lowest of n uniform costs is 1 / (n + 1) on average."""
    rng = np.random.default_rng(0)
    means = np.mean([expected_best(rng.uniform(size=8)) for _ in range(20_000)], axis=0)
    assert means == pytest.approx(1 / np.arange(2, 10), abs=0.005)


def test_hundreds_of_trials_do_not_overflow() -> None:
    values = expected_best(np.arange(2000.0))
    assert np.isfinite(values).all()
    assert values[0] == pytest.approx(999.5)
    assert values[1] == pytest.approx(2001 / 3 - 1)
    assert values[-1] == pytest.approx(0, abs=1e-9)
    assert (np.diff(values) < 0).all()


def test_curves_are_means_over_blocks_and_end_with_the_shortest(tmp_path: Path) -> None:
    rows = [{"label": "A", "blocks": [[{"mae_all": 1.0}]] * 2}, {"label": "B", "blocks": []}]
    made(tmp_path, rows, replications=2)
    searched(tmp_path / "block_1/A", [3.0, 1.0, 2.0, float("nan")])
    searched(tmp_path / "block_2/A", [5.0, 3.0])
    searched(tmp_path / "block_1/B", [9.0], status="failed")
    (curve,) = best_of_n(read_benchmark(tmp_path))
    assert (curve.row, curve.metric, curve.blocks) == ("A", "val_mae_all", 2)
    assert curve.values == pytest.approx([3.0, (4 / 3 + 3) / 2])
    assert curve.half_widths[0] == pytest.approx(12.706 * np.std([2, 4], ddof=1) / np.sqrt(2), rel=1e-4)


def test_the_highest_correlation_is_the_best_and_one_block_has_no_interval(tmp_path: Path) -> None:
    made(tmp_path, [{"label": "A", "seeds": [{"mae_all": 1.0}]}], select="val_pearson_all")
    searched(tmp_path / "A", [0.0, 0.0], val_pearson_all=0.5)
    (curve,) = best_of_n(read_benchmark(tmp_path))
    assert curve.values == pytest.approx([0.5, 0.5])
    assert np.isnan(curve.half_widths).all()
