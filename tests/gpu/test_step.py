"""The step on a device: memory format, fused optimizers, no waiting, every encoder, and a dry step without a trace."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from groupdir.config.trial import TrialConfig
from groupdir.training.epoch import EpochTrainer
from groupdir.training.trainer import Trainer
from tests.gpu.devices import ROUNDING, each_device, exact_convolutions, train
from tests.groupdir.methods.cases import CASES, case_trial
from tests.toy.photos import write_lamps

CONVOLUTIONS = 1e-3  # of a loss, in float32; weights that are off by a rounding change it by less than 1e-4 (measured)
TF32 = 0.02  # of a loss: a convolution on a card has 10 bits of each factor, unless it is told otherwise
TF32_ROUNDING = 2.0**-11  # of a factor
GROUPS = {"name": "group_dir", "groups": 5, "recipe": "joint", "temperature": 2.0}
ENCODERS: dict[str, dict[str, Any]] = {
    "convnet": {"name": "convnet", "widths": [8, 16]},
    "resnet": {"name": "resnet", "depth": 18},
}


@pytest.fixture(scope="module")
def lamps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a small data set of photographs."""
    return write_lamps(tmp_path_factory.mktemp("lamps"), train=40)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let the first two steps and the batches after them raise an error if they wait for a GPU."""
    step, calls = EpochTrainer.step, []

    def watch(self: EpochTrainer, *arguments: Any) -> Any:
        calls.append("error" if len(calls) < 2 else "default")
        if torch.cuda.is_available():
            torch.cuda.set_sync_debug_mode(calls[-1])
        return step(self, *arguments)

    monkeypatch.setattr(EpochTrainer, "step", watch)
    yield calls
    if torch.cuda.is_available():
        torch.cuda.set_sync_debug_mode("default")


def photos(root: Path, **changes: Any) -> TrialConfig:
    base = TrialConfig.from_dict(
        {
            "data": {"name": "tests.toy.photos:Lamps", "root": str(root), "size": 40},
            "encoder": ENCODERS["convnet"],
            "method": {"name": "vanilla"},
            "optim": {"lr": 0.01},
            "train": {"epochs": 1, "batch_size": 16},
        }
    )
    return base.replaced({name.replace("__", "."): value for name, value in changes.items()})


@each_device
@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("kind", ["crop_flip", "resized_crop_color"])
def test_a_step_waits_for_nothing(kind: str, share: float, device: str, lamps: Path, watched: list[str]) -> None:
    """With the pictures in the device's memory, and with pictures that are copied for every batch."""
    config = photos(lamps, train__device_share=share, data__augment=kind)
    trainer = Trainer(config, device=torch.device(device))
    expected = "cpu" if share == 0 else device
    assert trainer.training.inputs[0].device.type == expected
    (result,) = trainer.epochs()
    assert watched[:3] == ["error", "error", "default"]
    assert np.isfinite(result.metrics["train_loss"])


@each_device
def test_a_step_of_the_digits_waits_for_nothing(device: str, watched: list[str]) -> None:
    """Their random numbers are drawn on the CPU and copied in every step."""
    config = TrialConfig.from_dict(
        {
            "data": {"name": "digits", "train": 256, "val_per_label": 1},
            "encoder": ENCODERS["convnet"],
            "method": {"name": "vanilla"},
            "train": {"epochs": 1, "batch_size": 64},
        }
    )
    (result,) = Trainer(config, device=torch.device(device)).epochs()
    assert watched[:3] == ["error", "error", "default"]
    assert np.isfinite(result.metrics["train_loss"])


@each_device
@pytest.mark.parametrize(
    ("encoder", "method"),
    [("convnet", {"name": "vanilla"}), ("convnet", {**GROUPS, "views": 2}), ("resnet", {**GROUPS, "views": 2})],
    ids=["convnet-one-view", "convnet-two-views", "resnet-two-views"],
)
def test_photographs_train_as_on_the_cpu(encoder: str, method: dict[str, Any], device: str, lamps: Path) -> None:
    """From the card's memory and from the host's, with float32 convolutions and with TF32.

    The steps are tiny: in larger ones batch norm of a few pictures multiplies a rounding by 10,000 within four steps.
    """
    config = photos(lamps, encoder=ENCODERS[encoder], method=method, optim={"name": "sgd", "lr": 1e-5})
    expected = train(config, "cpu").losses
    off = 1 if device == "cpu" else 0
    with exact_convolutions():
        losses = train(config, device, rounding=off * ROUNDING).losses
        streamed = train(config.replaced({"train.device_share": 0.0}), device, rounding=off * ROUNDING).losses
    assert losses == pytest.approx(expected, rel=CONVOLUTIONS)
    assert streamed == pytest.approx(losses, rel=CONVOLUTIONS)
    assert train(config, device, rounding=off * TF32_ROUNDING).losses == pytest.approx(expected, rel=TF32)


@each_device
@pytest.mark.parametrize("encoder", ENCODERS)
def test_pictures_stay_channels_last_through_the_encoder(encoder: str, device: str, lamps: Path) -> None:
    trainer = Trainer(photos(lamps, encoder=ENCODERS[encoder]), device=torch.device(device))
    convolutions = [module for module in trainer.method.modules() if isinstance(module, torch.nn.Conv2d)]
    seen: list[torch.Tensor] = []
    for module in convolutions:
        assert module.weight.is_contiguous(memory_format=torch.channels_last)
        module.register_forward_hook(lambda module, given, output: seen.extend([given[0], output]))
    list(trainer.epochs())
    assert len(seen) >= 2 * len(convolutions) > 0
    assert all(tensor.device.type == device for tensor in seen)
    assert all(tensor.is_contiguous(memory_format=torch.channels_last) for tensor in seen)


@each_device
@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_optimizers_are_fused_on_a_gpu_alone(name: str, device: str) -> None:
    run = train(case_trial(f"optimizer-{name}"), device)
    assert run.trainer.optimizer is not None
    assert run.trainer.optimizer.defaults["fused"] == (True if device == "cuda" else None)


@each_device
def test_evaluation_is_that_of_the_cpu(device: str, lamps: Path) -> None:
    """Of the same weights, in batches that do not fill up, for metrics in label units."""
    config = photos(lamps, method=GROUPS)
    on_device, on_cpu = (Trainer(config, device=torch.device(name)) for name in (device, "cpu"))
    on_device.method.load_state_dict(on_cpu.method.state_dict())
    with exact_convolutions():
        metrics = on_device.evaluate("val")
    assert metrics == pytest.approx(on_cpu.evaluate("val"), rel=1e-4, nan_ok=True)


@each_device
@pytest.mark.parametrize("case", ["method-vae", "two_stage", "group_loss-do"])
def test_a_dry_step_leaves_no_trace(case: str, device: str) -> None:
    trainer = Trainer(case_trial(case, encoder__dropout=0.2), device=torch.device(device))
    before = {name: tensor.clone() for name, tensor in trainer.method.state_dict().items()}
    streams = [torch.get_rng_state(), torch.cuda.get_rng_state() if device == "cuda" else torch.empty(0)]
    trainer.dry_step()
    for name, tensor in trainer.method.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert all(parameter.grad is None for parameter in trainer.method.parameters())
    assert torch.equal(torch.get_rng_state(), streams[0])
    assert device == "cpu" or torch.equal(torch.cuda.get_rng_state(), streams[1])


WAITS = {
    "regularizer-ranksim": "the number of distinct targets decides the shapes",
    "pretrain-rank_n_contrast": "equal views are near duplicates, for which the contrastive loss needs float64",
}
"""Cases whose steps wait for the card, with the reason. The wait of the fused contrastive loss is not detected."""


@each_device
@pytest.mark.parametrize("case", [case for case in CASES if case not in WAITS])
def test_a_step_of_a_plug_in_waits_for_nothing(case: str, device: str, watched: list[str]) -> None:
    if device == "cuda":  # a first training sends constants, which are kept
        watched += ["default", "default"]
        list(Trainer(case_trial(case), device=torch.device(device)).epochs())
        watched.clear()
    for _ in Trainer(case_trial(case), device=torch.device(device)).epochs():
        break
    assert watched[:3] == ["error", "error", "default"]
