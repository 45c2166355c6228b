"""`train.compile` on and off: the same training, the same names in a checkpoint, batches of any size, two views."""

from pathlib import Path

import pytest
import torch

from groupdir.config.trial import TrialConfig
from groupdir.training.checkpoint import load_checkpoint
from groupdir.training.trainer import Trainer
from tests.gpu.devices import exact_convolutions, train

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


@pytest.mark.parametrize(
    ("device", "method"),
    [
        pytest.param("cpu", {"name": "vanilla"}, marks=pytest.mark.long, id="cpu-one-view"),  # 24 s: C++ is compiled
        pytest.param("cuda", {"name": "vanilla"}, marks=pytest.mark.gpu, id="cuda-one-view"),
        pytest.param("cuda", VIEWS, marks=pytest.mark.gpu, id="cuda-two-views"),
    ],
)
def test_a_compiled_encoder_trains_alike(device: str, method: dict[str, object], tmp_path: Path) -> None:
    """Its checkpoint loads into a trainer of either kind."""
    plain = trial(method, device)
    compiled = plain.replaced({"train.compile": True})
    with exact_convolutions():
        expected, run = train(plain, device), train(compiled, device)
    assert len(run.losses) == len(expected.losses) == 10
    assert run.losses == pytest.approx(expected.losses, rel=COMPILED, abs=COMPILED)
    run.trainer.save(tmp_path / "trial.pt")
    content = load_checkpoint(tmp_path / "trial.pt")
    assert content["model"].keys() == expected.trainer.method.state_dict().keys()
    expected.trainer.method.load_state_dict(content["model"])
    again = Trainer(compiled, device=torch.device(device))
    again.load(tmp_path / "trial.pt")
    metrics = run.trainer.evaluate("val")
    for trainer in (expected.trainer, again):
        assert trainer.evaluate("val") == pytest.approx(metrics, rel=COMPILED, nan_ok=True)
