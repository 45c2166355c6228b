"""A measured training keeps its predictions, exactly, and its reading of the test split."""

from pathlib import Path
from typing import Any

import pytest

from groupdir.commands.rerun import Task, train_one
from groupdir.config.trial import TrialConfig
from groupdir.files.ledger import Ledger
from groupdir.files.predictions import read_predictions
from groupdir.metrics import group_metrics, shot_metrics

CONTENT = {
    "data": {"name": "tests.toy.parts:Waves"},
    "encoder": {"name": "mlp", "widths": [8]},
    "train": {"epochs": 2, "batch_size": 32},
}
METHODS: list[dict[str, Any]] = [{"name": "vanilla"}, {"name": "group_dir", "groups": 5, "recipe": "joint"}]


def task(folder: Path, method: dict[str, Any], ledger: Path | None = None) -> Task:
    config = TrialConfig.from_dict({**CONTENT, "method": method, "seed": 4})
    return Task("mine", config, folder / "run/mine/seed_4", Ledger((ledger or folder,)), "groupdir train a.yaml")


@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method["name"]))
def test_the_file_gives_exactly_the_printed_metrics(tmp_path: Path, method: dict[str, Any]) -> None:
    run = train_one(task(tmp_path, method))
    read = read_predictions(run.predictions)
    metrics = shot_metrics(read.prediction, read.target, read.shots)
    if method["name"] == "group_dir":
        assert read.group is not None
        assert read.true_group is not None
        metrics |= group_metrics(read.group, read.true_group)
    else:
        assert read.group is read.true_group is None
    printed = {name: value for name, value in run.metrics.items() if "oracle" not in name}
    assert {f"test_{name}": value for name, value in metrics.items()} == printed
    assert (read.split, read.seed, read.data) == ("test", 4, "tests.toy.parts:Waves")


def test_a_reading_is_recorded_once_and_a_finished_training_is_not_read_again(tmp_path: Path) -> None:
    once = task(tmp_path, METHODS[0])
    run = train_one(once)
    assert train_one(once) == run
    read = read_predictions(run.predictions)
    (entry,) = once.ledger.entries(read.data, read.samples)
    assert (entry.configuration, entry.seed, entry.label) == (once.config.digest_without_seed, 4, "mine")
    assert entry.command == "groupdir train a.yaml"
    assert entry.configuration == once.config.replaced({"seed": 9}).digest_without_seed
    run.predictions.unlink()
    assert train_one(once).metrics == run.metrics
    assert read_predictions(run.predictions).prediction.tolist() == read.prediction.tolist()


def test_a_ledger_that_cannot_be_written_does_not_stop_the_training(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    run = train_one(task(tmp_path, METHODS[0], blocked))
    assert run.warning is not None
    assert "is not recorded" in run.warning
    assert run.predictions.exists()
