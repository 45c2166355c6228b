"""Devices on which every test of this folder runs, and trials that a CPU and a card train alike.

Each test runs on the CPU in every run of the suite: that is the rehearsal. On a card it runs with `-m gpu`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from groupdir.config.trial import TrialConfig
from groupdir.training.epoch import EpochTrainer
from groupdir.training.evaluate import Predictions, predict
from groupdir.training.trainer import Trainer

each_device = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])

ROUNDING = 1e-6
"""Relative error of the weights with which a CPU imitates another device: about 8 units in the last place."""


@dataclass(frozen=True)
class Run:
    """A training, as far as two devices are compared.

    Attributes:
        losses: The loss of every optimizer step.
        predictions: Predictions for the validation samples after the last epoch.
        trainer: The trainer after the last epoch.
    """

    losses: np.ndarray
    predictions: Predictions
    trainer: Trainer


def train(config: TrialConfig, device: str, rounding: float = 0.0, seed: int = 0) -> Run:
    """Train a trial on a device with the random numbers of a CPU.

    Args:
        config: The trial.
        device: Name of the device.
        rounding: Largest relative error that is added to each weight at the start.
        seed: Seed of that error.
    """
    losses: list[Tensor] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EpochTrainer, "step", _recorded(EpochTrainer.step, losses))
        patch.setattr(torch, "randn_like", _randn_of_the_cpu)
        trainer = Trainer(config, device=torch.device(device))
        if rounding:
            _disturb(trainer, rounding, seed)
        for _ in trainer.epochs():
            pass
        inputs = tuple(torch.from_numpy(array) for array in trainer.dataset.split("val").inputs)
        present = trainer.dataset.inputs
        predictions = predict(
            trainer.method, inputs, 64, config.train.amp, lambda rows: trainer.dataset.present(rows, present)
        )
    return Run(torch.stack(losses).double().cpu().numpy(), predictions, trainer)


def _recorded(step: Any, losses: list[Tensor]) -> Any:
    """Return the optimizer step of an epoch trainer with one addition: it appends its loss to a list."""

    def recorded(self: EpochTrainer, *arguments: Any) -> dict[str, Tensor]:
        terms: dict[str, Tensor] = step(self, *arguments)
        losses.append(terms["loss"])
        return terms

    return recorded


def _randn_of_the_cpu(tensor: Tensor) -> Tensor:
    """Return normal noise from the CPU's generator: every device has a random stream of its own."""
    return torch.randn(tensor.shape, dtype=tensor.dtype).to(tensor.device)


def _disturb(trainer: Trainer, rounding: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in trainer.method.parameters():
            noise = 2 * torch.rand(parameter.shape, generator=generator) - 1
            parameter.mul_(1 + rounding * noise.to(parameter.device))


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Compute convolutions on a card in float32; torch's default is TF32, with 10 bits of each factor."""
    conv = torch.backends.cudnn.conv
    before = conv.fp32_precision
    conv.fp32_precision = "ieee"
    try:
        yield
    finally:
        conv.fp32_precision = before
