"""Trials are reproducible: trained twice or resumed, a trial has the same rows. A wrong checkpoint is refused."""

import dataclasses
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters

from groupdir.config.trial import TrialConfig
from groupdir.errors import ConfigError, DataError
from groupdir.training.checkpoint import load_checkpoint
from groupdir.training.trainer import EpochResult, Trainer, run_trial
from tests.toy.parts import Waves

METHODS: dict[str, dict[str, Any]] = {
    "vanilla": {"name": "vanilla", "weights": {"mode": "sqrt_inverse", "lds": {}}},
    "joint": {
        "name": "group_dir",
        "groups": 5,
        "recipe": "joint",
        "similarity": "cosine",
        "temperature": 0.1,
        "views": 2,
    },
    "two_stage": {
        "name": "group_dir",
        "groups": 5,
        "recipe": "two_stage",
        "pretrain": {"epochs": 3},
        "encoder_lr": 0.1,
    },
    "frozen": {"name": "group_dir", "groups": 5, "pretrain": {"epochs": 2, "optim": {"name": "sgd"}}, "encoder_lr": 0},
    "authors": {
        "name": "group_dir",
        "groups": 5,
        "recipe": "joint",
        "reduction": "authors",
        "group_loss": "logit_adjusted",
    },
    "ce": {"name": "group_dir", "groups": 4, "recipe": "joint", "group_loss": "ce", "grouping": "equal_frequency"},
    "rank_n_contrast": {
        "name": "group_dir",
        "groups": 5,
        "contrast_on": "targets",
        "pretrain": {"epochs": 2},
        "routing": "soft",
    },
}


def trial(method: dict[str, Any] | str = "joint", **changes: Any) -> TrialConfig:
    base = {
        "seed": 5,
        "data": {"name": "tests.toy.parts:Waves"},
        "encoder": {"name": "mlp", "widths": [16], "dropout": 0.2},
        "method": METHODS[method] if isinstance(method, str) else method,
        "optim": {"lr": 0.01, "schedule": "cosine", "warmup_steps": 3},
        "train": {"epochs": 5, "batch_size": 32},
    }
    return TrialConfig.from_dict(base).replaced(changes)


def rows(results: Any) -> list[str]:
    return [repr((result.epoch, result.stage, result.metrics, result.last)) for result in results]


@pytest.mark.parametrize("method", METHODS)
def test_twice_the_same_and_resumed_the_same(method: str, tmp_path: Path) -> None:
    config = trial(method)
    stop = random.Random(method).randint(1, Trainer(config).total_epochs - 1)
    whole = []
    for result in run_trial(config):
        whole.append(*rows([result]))
        if result.epoch == stop:
            result.save(tmp_path / "trial.pt")
    torch.rand(3)  # the process's own generator must not matter
    assert rows(run_trial(config)) == whole
    assert rows(run_trial(config, resume=tmp_path / "trial.pt")) == whole[stop:]


@pytest.mark.parametrize("method", METHODS)
def test_learns(method: str) -> None:
    results: list[EpochResult] = list(run_trial(trial(method).replaced({"train.epochs": 25})))
    bound = (
        2.4 if method == "frozen" else 1.6
    )  # the mean predictor's is 2.9; 2 epochs of pre-training are few to freeze
    assert results[-1].metrics["val_mae_all"] < bound
    assert results[-1].last
    assert all(not name.startswith("test_") for result in results for name in result.metrics)


def test_pretraining_has_no_validation_errors() -> None:
    results = list(run_trial(trial("two_stage")))
    assert [result.stage for result in results] == ["pretrain"] * 3 + ["fit"] * 5
    assert all(result.metrics["val_mae_all"] != result.metrics["val_mae_all"] for result in results[:3])
    assert all(result.metrics["val_mae_all"] > 0 for result in results[3:])


def test_frozen_encoder_does_not_move() -> None:
    trainer = Trainer(trial("frozen"))
    for result in trainer.epochs():
        weight = trainer.method.encoder.layers[0].weight.detach().clone()  # type: ignore[union-attr, index]
        if result.epoch == 2:
            before = weight
    assert torch.equal(before, weight)


def test_a_frozen_encoder_keeps_no_gradients_of_the_stage_before(tmp_path: Path) -> None:
    """They would count in the norm that is clipped, unless a checkpoint came between."""
    config = trial("frozen").replaced({"optim.grad_clip_norm": 0.05})
    whole = []
    for result in run_trial(config):
        whole.append(*rows([result]))
        if result.epoch == 2:  # the last of the pre-training
            assert result.stage == "pretrain"
            result.save(tmp_path / "trial.pt")
    assert rows(run_trial(config, resume=tmp_path / "trial.pt")) == whole[2:]


def test_seed_and_process_generator_are_left_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(4)
    torch.manual_seed(1)
    list(run_trial(trial("vanilla")))
    assert torch.equal(torch.rand(4), expected)


def test_best_weights_are_taken(tmp_path: Path) -> None:
    trainer = Trainer(trial("joint").replaced({"optim.lr": 0.1, "train.epochs": 12}))
    errors = [result.metrics["val_mae_all"] for result in trainer.epochs()]
    chosen = trainer.take_best()
    assert errors[chosen - 1] == min(errors)
    assert trainer.evaluate("val")["val_mae_all"] == min(errors)


def test_the_best_epoch_has_the_highest_correlation_if_that_selects(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = Waves.targets.fget(None)  # type: ignore[attr-defined]
    monkeypatch.setattr(Waves, "targets", property(lambda self: dataclasses.replace(targets, error="pearson")))
    trainer = Trainer(trial("joint").replaced({"optim.lr": 0.1, "train.epochs": 12}))
    values = [result.metrics["val_pearson_all"] for result in trainer.epochs()]
    assert values[trainer.take_best() - 1] == max(values) > min(values)


def test_checkpoint_of_another_configuration_or_broken(tmp_path: Path) -> None:
    path = tmp_path / "trial.pt"
    next(run_trial(trial("joint"))).save(path)
    with pytest.raises(DataError, match=r"another configuration: method.group_loss.beta was 1.0, is 2.0"):
        list(run_trial(trial("joint").replaced({"method.beta": 2}), resume=path))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DataError, match="broken"):
        list(run_trial(trial("joint"), resume=path))
    with pytest.raises(DataError, match="cannot be read"):
        list(run_trial(trial("joint"), resume=tmp_path / "none.pt"))


def test_encoder_must_read_what_the_data_set_gives() -> None:
    config = trial("joint").replaced({"encoder": {"name": "convnet"}})
    with pytest.raises(ConfigError, match="convnet reads image, but the data set gives vector"):
        list(run_trial(config))


@pytest.mark.parametrize("size", [1, 2, 95])
def test_batches_of_one_and_two(size: int) -> None:
    results = list(
        run_trial(
            trial("joint").replaced({"train.batch_size": size, "train.epochs": 1, "data.size": 7 if size < 3 else 96})
        )
    )
    assert results[-1].metrics["train_loss"] > 0


@pytest.mark.slow
def test_a_compiled_encoder_trains_alike_and_keeps_its_names(tmp_path: Path) -> None:
    changes = {"encoder.dropout": 0, "train.batch_size": 40}
    plain, compiled = (trial("vanilla").replaced(changes | {"train.compile": on}) for on in (False, True))
    expected = [result.metrics["train_loss"] for result in run_trial(plain)]
    torch._dynamo.reset()
    counters.clear()
    results = []
    for result in run_trial(compiled):
        results.append(result.metrics["train_loss"])
        result.save(tmp_path / "trial.pt")
    assert results == pytest.approx(expected, rel=1e-4)
    trainer = Trainer(plain)
    trainer.method.load_state_dict(load_checkpoint(tmp_path / "trial.pt")["model"])
    assert len(trainer.training) % plain.train.batch_size, "the last batch must be smaller, or this shows nothing"
    assert counters["stats"]["unique_graphs"] == 1, "neither the last batch nor the validation is compiled too"


def test_bf16_autocast_is_close() -> None:
    exact = next(run_trial(trial("joint"))).metrics["train_loss"]
    assert next(run_trial(trial("joint").replaced({"train.amp": "bf16"}))).metrics["train_loss"] == pytest.approx(
        exact, rel=0.02
    )


def test_a_damaged_checkpoint_is_set_aside_and_the_training_starts_again(tmp_path: Path) -> None:
    config = trial("joint")
    path = tmp_path / "trial.pt"
    trainer = Trainer(config)
    first = [epoch.metrics for epoch in trainer.epochs()]
    trainer.save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    again = Trainer(config)
    said = again.resume(path)
    assert said.endswith("the file is kept as trial.pt.damaged-1")
    assert [path.name for path in tmp_path.iterdir()] == ["trial.pt.damaged-1"]
    assert repr([epoch.metrics for epoch in again.epochs()]) == repr(first)
