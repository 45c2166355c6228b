"""A trial on a device that is saved and resumed there, and checkpoints that move between a device and the CPU."""

from pathlib import Path

import pytest
import torch

from groupdir.config.trial import TrialConfig
from groupdir.training.stages import StageFolder
from groupdir.training.trainer import Trainer
from tests.gpu.devices import each_device
from tests.groupdir.methods.cases import case_trial

RESUMED = 1e-5  # of a metric; bit for bit on a CPU and in deterministic mode, see test_deterministic.py
ELSEWHERE = 1e-3  # of a metric, where one part was trained on a CPU and one on the device
CASES = ["method-vanilla", "group_loss-rebat", "smoothing", "pretrain-rank_n_contrast", "optimizer-sgd"]


def trial(case: str) -> TrialConfig:
    return case_trial(case, train__epochs=5)


def metrics(trainer: Trainer, stop: int | None = None) -> list[float]:
    """Return the training and the validation error of every epoch up to one, and NaN as 0."""
    rows: list[float] = []
    for result in trainer.epochs():
        rows += [result.metrics["train_loss"], result.metrics["val_mae_all"] if result.predicts else 0.0]
        if result.epoch == stop:
            break
    return rows


def resumed(config: TrialConfig, path: Path, first: str, then: str, stop: int) -> list[float]:
    """Train up to an epoch on one device, save, and train the remaining epochs on another."""
    trainer = Trainer(config, device=torch.device(first))
    rows = metrics(trainer, stop)
    trainer.save(path)
    after = Trainer(config, device=torch.device(then))
    after.load(path)
    return rows + metrics(after)


@each_device
@pytest.mark.parametrize("case", CASES)
def test_a_resumed_trial_is_the_uninterrupted_one(case: str, device: str, tmp_path: Path) -> None:
    whole = metrics(Trainer(trial(case), device=torch.device(device)))
    again = resumed(trial(case), tmp_path / "trial.pt", device, device, stop=3)
    assert again == (whole if device == "cpu" else pytest.approx(whole, rel=RESUMED, abs=RESUMED))


@each_device
@pytest.mark.parametrize("case", CASES)
def test_a_checkpoint_moves_between_the_device_and_the_cpu(case: str, device: str, tmp_path: Path) -> None:
    whole = metrics(Trainer(trial(case), device=torch.device("cpu")))
    for first, then in ((device, "cpu"), ("cpu", device)):
        rows = resumed(trial(case), tmp_path / f"{first}.pt", first, then, stop=3)
        assert rows == pytest.approx(whole, rel=ELSEWHERE, abs=ELSEWHERE)


@each_device
@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_a_loaded_optimizer_is_fused_as_its_own_device_asks(name: str, device: str, tmp_path: Path) -> None:
    config = trial(f"optimizer-{name}")
    other = Trainer(config, device=torch.device("cpu"))
    metrics(other, stop=1)
    assert other.optimizer is not None
    for group in other.optimizer.param_groups:
        group["fused"] = device == "cpu"  # as the other kind of device writes it
    other.save(tmp_path / "trial.pt")
    trainer = Trainer(config, device=torch.device(device))
    trainer.load(tmp_path / "trial.pt")
    assert trainer.optimizer is not None
    assert {group["fused"] for group in trainer.optimizer.param_groups} == {True if device == "cuda" else None}
    assert len(metrics(trainer)) == 2 * 4


@each_device
@pytest.mark.parametrize("way", ["to the device", "to the CPU", "on the device"])
def test_a_shared_first_stage_moves_between_the_device_and_the_cpu(way: str, device: str, tmp_path: Path) -> None:
    """A trial continues a first stage that another trial has trained for two of its three epochs."""
    config = trial("pretrain-rank_n_contrast")
    whole = metrics(Trainer(config, device=torch.device("cpu")))
    folder = StageFolder(tmp_path, marks=(2,))
    first, then = ("cpu" if way == "to the device" else device, "cpu" if way == "to the CPU" else device)
    metrics(Trainer(config, stages=folder, device=torch.device(first)), stop=2)
    rows = metrics(Trainer(config, stages=folder, device=torch.device(then)))
    assert rows == pytest.approx(whole[2 * 2 :], rel=ELSEWHERE, abs=ELSEWHERE)
