"""Pack of a benchmark: tables from it are byte-equal to those of its folder, and other files are refused."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from typer.testing import CliRunner

from analysis.__main__ import app
from groupdir.errors import DataError
from groupdir.files.benchmark_pack import read_benchmark, read_pack, write_pack
from groupdir.files.benchmark_record import record_of_folder
from groupdir.files.parquet import read_parquet, write_parquet
from groupdir.files.predictions import SavedPredictions
from groupdir.metrics import ShotSplit
from tests.analysis.benchmark.folders import made, searched

TARGET = np.linspace(0, 1, 5, dtype=np.float32)


def benchmark(folder: Path, replications: int) -> Path:
    """Make a benchmark of two rows with searches and predictions."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    seeds = lambda: [{"mae_all": rng.normal(), "gm_few": rng.normal(), "mae_few": float("nan")} for _ in range(2)]  # noqa: E731
    rows = [{"label": label, "blocks": [seeds() for _ in range(replications)]} for label in ("A", "B")]
    options = {"replications": replications} if replications > 1 else {}
    made(folder, rows, **options)
    for block in range(1, replications + 1):
        place = folder / f"block_{block}" if replications > 1 else folder
        for row in ("A", "B"):
            searched(place / row, rng.normal(size=3).tolist())
            for seed in range(2):
                keep(place / "confirmed" / row / f"vanilla/seed_{seed}/predictions.parquet", row, block)
    return folder


def keep(path: Path, row: str, block: int, target: npt.NDArray[Any] = TARGET) -> None:
    saved = SavedPredictions(
        {"data": {"name": "digits"}}, row, f"draw {block}", ShotSplit.from_train([1.0]), "test", 0, target, target / 3.0
    )
    saved.write(path)


@pytest.mark.parametrize("replications", [1, 3])
def test_every_table_of_the_pack_is_that_of_the_folder(tmp_path: Path, replications: int) -> None:
    folder, pack = benchmark(tmp_path / "results/small", replications), tmp_path / "docs/small.parquet"
    run = CliRunner()
    options = [[], ["--format", "markdown"], ["--format", "latex"], ["--json"]]
    before = [run.invoke(app, ["benchmark-table", str(folder), *each]).output for each in options]
    written = run.invoke(app, ["benchmark-pack", str(folder), "--out", str(pack)])
    assert f"{6 * replications} trials, {4 * replications} measured trainings" in written.output
    shutil.rmtree(folder)
    assert [run.invoke(app, ["benchmark-table", str(pack), *each]).output for each in options] == before
    assert all(before)


def test_the_pack_has_choices_trials_and_predictions(tmp_path: Path) -> None:
    record = record_of_folder(benchmark(tmp_path / "small", 2))
    table = read_parquet(write_pack(record, tmp_path / "small.parquet"))[0].to_pylist()
    measured = [row for row in table if row["role"] == "measured"]
    assert len(measured) == 8
    assert measured[0]["chosen"] == "# trial of A\nmethod: vanilla\n"
    assert measured[0]["predictions"] == pytest.approx(np.linspace(0, 1, 5) / 3)
    assert measured[0]["targets"] == pytest.approx(np.linspace(0, 1, 5))
    assert [row["param:optim.lr"] for row in table if row["role"] == "search"] == ["0.1"] * 12
    again = read_pack(tmp_path / "small.parquet")
    assert (again.content, again.readers, again.draws) == (record.content, record.readers, 2)
    assert [each.chosen for each in again.measured] == [each.chosen for each in record.measured]


def test_labels_of_a_users_table_keep_their_digits(tmp_path: Path) -> None:
    folder, far = benchmark(tmp_path / "small", 1), 1_700_000_000 + np.linspace(0, 1, 5)
    for file in folder.rglob("predictions.parquet"):
        keep(file, "A", 1, far)
    table = read_parquet(write_pack(record_of_folder(folder), tmp_path / "small.parquet"))[0].to_pylist()
    assert [row["targets"] for row in table if row["role"] == "measured"] == [far.tolist()] * 4


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is it a folder of `groupdir benchmark`"):
        read_benchmark(tmp_path / "nothing")
    write_parquet(tmp_path / "other.parquet", [{"trial": 1}], {})
    with pytest.raises(DataError, match=r"lacks .*row.*: name a folder of `groupdir benchmark` or a file of"):
        read_benchmark(tmp_path / "other.parquet")
