"""Precision of a benchmark before its start: from its own blocks, from another benchmark, or unknown."""

from pathlib import Path

import pytest

from groupdir.config.benchmark import Benchmark, load_benchmark
from groupdir.errors import DataError
from launch.screen.precision import precision_text
from tests.analysis.benchmark.folders import made
from tests.groupdir.config.test_benchmark import TABLE, write


def benchmark(folder: Path, replications: int) -> Benchmark:
    return load_benchmark(write(folder, TABLE.replace("seeds: 2", f"seeds: 2, replications: {replications}")))


def measured(folder: Path, replications: int = 2) -> Path:
    """Make a benchmark whose four residuals are +-0.05 for all and +-0.5 for few."""
    folder.mkdir()
    values = {"A": ((1.0, 10.0), (1.2, 12.0)), "B": ((2.0, 20.0), (2.0, 20.0))}
    rows = [
        {"label": label, "blocks": [[{"mae_all": mae, "mae_few": few}] for mae, few in blocks[:replications]]}
        for label, blocks in values.items()
    ]
    return made(folder, rows, replications=2, seeds=1)


def test_the_noise_is_unknown_before_the_first_blocks(tmp_path: Path) -> None:
    text = precision_text(benchmark(tmp_path, 5), tmp_path / "new", None, 0.2)
    assert text.splitlines()[0] == "replications: 5"
    assert "noise between blocks: unknown until 2 blocks of 2 rows are measured" in text
    assert "rows cannot be compared with one block" in precision_text(
        benchmark(tmp_path, 1), tmp_path / "new", None, None
    )
    assert "unknown" in precision_text(benchmark(tmp_path, 5), measured(tmp_path / "begun", 1), None, None)


def test_differences_follow_from_the_noise(tmp_path: Path) -> None:
    """Residuals of +-0.05 in 4 cells with 1 degree of freedom: s = 0.1, and 2.776 * 0.1 * sqrt(2 / 5) = 0.18."""
    folder = measured(tmp_path / "earlier")
    text = precision_text(benchmark(tmp_path, 5), tmp_path / "new", folder, 0.2)
    assert f"noise between blocks: 0.1 MAE all, 1 MAE few (standard deviation of a row, from {folder})" in text
    assert "two rows are called different at 0.18 MAE all, 1.8 MAE few (paired t-test, 5 % level)" in text
    assert "a true difference of 0.24 MAE all, 2.4 MAE few is shown with a probability of 80 %" in text
    assert "a true difference of 0.2 MAE all needs 7 replications to be shown with a probability of 80 %" in text
    assert text == precision_text(benchmark(tmp_path, 5), folder, None, 0.2), "the benchmark's own blocks"


def test_a_named_benchmark_must_have_blocks(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the noise between blocks needs 2 finished blocks of 2 rows"):
        precision_text(benchmark(tmp_path, 5), tmp_path / "new", measured(tmp_path / "begun", 1), None)
    with pytest.raises(DataError, match="is it a folder of `groupdir benchmark`"):
        precision_text(benchmark(tmp_path, 5), tmp_path / "new", tmp_path / "nothing", None)
