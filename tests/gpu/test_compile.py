"""`train.compile` on and off: the same training, the same names in a checkpoint, batches of any size, two views."""

from pathlib import Path

import pytest
import torch

from groupdir.config.trial import TrialConfig
from groupdir.training.checkpoint import load_checkpoint
from groupdir.training.trainer import Trainer
from tests.gpu.devices import each_device, exact_convolutions, train

COMPILED = 1e-3  # of a loss: fused kernels round in another order, and BatchNorm of small batches spreads it
VIEWS = {"name": "group_dir", "groups": 5, "recipe": "joint", "views": 2, "temperature": 2.0}


def trial(method: dict[str, object], device: str) -> TrialConfig:
    """Return a trial of 10 steps whose last batch is smaller."""
    return TrialConfig.from_dict(
        {
            "data": {"name": "digits", "train": 150, "val_per_label": 2},
            "encoder": {"name": "convnet", "widths": [8] if device == "cpu" else [16, 32]},
            "method": method,
            "optim": {"lr": 0.003},
            "train": {"epochs": 2, "batch_size": 32},
        }
    )


@pytest.mark.long
@pytest.mark.parametrize("device", ["cpu"])
@pytest.mark.parametrize("method", [{"name": "vanilla"}], ids=["one-view"])
def test_on_the_cpu_a_compiled_encoder_trains_alike(method: dict[str, object], device: str, tmp_path: Path) -> None:
    assert_alike(method, device, tmp_path)


@pytest.mark.gpu
@pytest.mark.parametrize("method", [{"name": "vanilla"}, VIEWS], ids=["one-view", "two-views"])
def test_on_a_gpu_a_compiled_encoder_trains_alike(method: dict[str, object], tmp_path: Path) -> None:
    assert_alike(method, "cuda", tmp_path)


def assert_alike(method: dict[str, object], device: str, tmp_path: Path) -> None:
    """Compare a compiled training with a plain one, and load its checkpoint into a plain trainer and the reverse."""
    plain = trial(method, device)
    compiled = plain.replaced({"train.compile": True})
    with exact_convolutions():
        expected, run = train(plain, device), train(compiled, device)
    assert len(run.losses) == len(expected.losses) == 10
    assert run.losses == pytest.approx(expected.losses, rel=COMPILED, abs=COMPILED)
    run.trainer.save(tmp_path / "trial.pt")
    content = load_checkpoint(tmp_path / "trial.pt")
    assert content["model"].keys() == expected.trainer.method.state_dict().keys()
    again = Trainer(compiled, device=torch.device(device))
    again.load(tmp_path / "trial.pt")
    assert again.evaluate("val") == run.trainer.evaluate("val")
