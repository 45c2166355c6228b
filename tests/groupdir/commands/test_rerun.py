"""A measured training keeps its predictions and its reading of the test split. Its seed is one that no search uses."""

import json
from pathlib import Path
from typing import Any

import pytest

from groupdir.commands.plans import Plan, with_method
from groupdir.commands.rerun import Run, Task, rerun, train_one
from groupdir.config.trial import TrialConfig
from groupdir.errors import ConfigError, DataError, MethodError
from groupdir.files.ledger import Ledger
from groupdir.files.predictions import read_predictions
from groupdir.metrics import group_metrics, shot_metrics
from groupdir.seeds import shared_seed
from groupdir.training.checkpoint import load_checkpoint
from groupdir.training.trainer import Trainer
from tests.groupdir.methods.cases import case_trial

CONTENT = {
    "data": {"name": "tests.toy.parts:Waves"},
    "encoder": {"name": "mlp", "widths": [8]},
    "train": {"epochs": 2, "batch_size": 32},
}
METHODS: list[dict[str, Any]] = [{"name": "vanilla"}, {"name": "group_dir", "groups": 5, "recipe": "joint"}]
CHOSEN = case_trial("two_stage").replaced({"seed": shared_seed(40), "stage_seed": shared_seed(30)})
"""A trial of a search, whose first stage another trial has trained."""


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


@pytest.mark.parametrize("content", ["", "{", "{}", "[]"])
def test_a_broken_result_is_named(tmp_path: Path, content: str) -> None:
    once = task(tmp_path, METHODS[0])
    once.folder.mkdir(parents=True)
    (once.folder / "result.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"result\.json: is not a result of `groupdir train`: .*: delete the file and"):
        train_one(once)


def measured(folder: Path, *configs: TrialConfig, seeds: int = 1, same_seed: bool = False) -> list[Run]:
    plans = [Plan(config.method.name, config) for config in configs]
    return rerun(
        plans, seeds=seeds, folder=folder / "out", command="x", again="x", jobs=1, same_seed=same_seed, quiet=True
    )


def test_a_trial_of_a_search_is_measured_on_seeds_from_0(tmp_path: Path) -> None:
    runs = measured(tmp_path, CHOSEN, with_method(CHOSEN, "vanilla"), seeds=2)
    assert [(run.label, run.seed) for run in runs] == [(name, n) for name in ("group_dir", "vanilla") for n in (0, 1)]
    trained = load_checkpoint(tmp_path / "out/group_dir/seed_1/checkpoint.pt")["config"]
    assert (trained["seed"], trained["stage_seed"]) == (1, None), "its first stage too has a seed of its own"


def test_the_same_seed_gives_the_trial_again(tmp_path: Path) -> None:
    other = case_trial("method-vanilla").replaced({"seed": shared_seed(41)})
    run, paired = measured(tmp_path, CHOSEN, other, same_seed=True)
    assert run.seed == paired.seed == CHOSEN.seed
    result = json.loads((tmp_path / f"out/group_dir/seed_{CHOSEN.seed}/result.json").read_text(encoding="utf-8"))
    assert result["digest"] == CHOSEN.digest
    trainer = Trainer(CHOSEN)
    list(trainer.epochs())
    assert trainer.take_best() == run.epoch
    assert repr(trainer.evaluate("test")) == repr(run.metrics)


def test_a_configuration_that_cannot_run_leaves_the_folder_free(tmp_path: Path) -> None:
    wrong = TrialConfig.from_dict({**CONTENT, "encoder": {"name": "convnet"}, "method": METHODS[0]})
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"encoder\.name: convnet reads image"):
            measured(tmp_path, wrong)


def test_a_killed_training_is_one_error(tmp_path: Path) -> None:
    killed = TrialConfig.from_dict({**CONTENT, "method": {"name": "tests.toy.plugins:Killed"}})
    with pytest.raises(MethodError, match=r"a training was killed, .* continue with --resume and a smaller train"):
        measured(tmp_path, killed)


def test_the_same_seed_is_one_seed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--same-seed trains the seed of the file only, got --seeds 2 too"):
        measured(tmp_path, CHOSEN, seeds=2, same_seed=True)
    assert not (tmp_path / "out").exists()


def test_seeds_are_counted_from_that_of_a_configuration_of_no_search(tmp_path: Path) -> None:
    chosen = CHOSEN.replaced({"seed": 7})  # an edited file: its stage still has a seed of the search
    assert [run.seed for run in measured(tmp_path, chosen, seeds=2)] == [7, 8]
    trained = load_checkpoint(tmp_path / "out/group_dir/seed_7/checkpoint.pt")["config"]
    assert (trained["seed"], trained["stage_seed"]) == (7, None)


def test_trainings_of_one_configuration_differ_in_their_seeds_only() -> None:
    assert CHOSEN.digest_without_seed == CHOSEN.with_seed(0).digest_without_seed
