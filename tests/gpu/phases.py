"""Time of each phase of a training step, read at marks that its trainer passes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from groupdir.models.base import Encoder
from groupdir.training.trainer import Trainer
from groupdir.training.training_set import TrainingSet
from tests.gpu.part import Setting

NAMES = ("input", "forward", "loss", "backward", "optimizer")
"""Phases in the order in which a step passes them. "loss" is all after the encoder: heads, losses, contrastive loss."""


class Marks:
    """Points in time at which phases end, by the card's clock or, on a CPU, by the host's."""

    def __init__(self, on_card: bool) -> None:
        self.on_card = on_card
        self.passed: list[tuple[str, Any]] = []

    def __call__(self, name: str) -> None:
        """Note that a phase ends here."""
        if not self.on_card:
            self.passed.append((name, time.perf_counter()))
            return
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        self.passed.append((name, event))

    def seconds(self) -> dict[str, float]:
        """Return the mean seconds of each phase of a step. The first step is left out: no mark stands before it."""
        spent = dict.fromkeys(NAMES, 0.0)
        for (_, begin), (name, end) in zip(self.passed, self.passed[1:], strict=False):
            spent[name] += begin.elapsed_time(end) / 1e3 if self.on_card else end - begin
        steps = sum(name == "optimizer" for name, _ in self.passed[1:])
        return {name: total / max(1, steps) for name, total in spent.items()}


class MarkedEncoder(Encoder):
    """An encoder that marks the end of its forward pass."""

    def __init__(self, encoder: Encoder, mark: Marks) -> None:
        torch.nn.Module.__init__(self)
        self.encoder, self.mark, self.dim = encoder, mark, encoder.dim

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return the features."""
        features: Tensor = self.encoder(*inputs)
        self.mark("forward")
        return features


@contextmanager
def marked(trainer: Trainer, mark: Marks) -> Iterator[None]:
    """Let a trainer pass the marks of every phase within the context."""
    method, optimizer, batch = trainer.method, trainer.optimizer, TrainingSet.batch
    assert optimizer is not None
    encoder, losses = method.encoder, method.losses

    def made(self: TrainingSet, *arguments: Any, **options: Any) -> Any:
        result = batch(self, *arguments, **options)
        mark("input")
        return result

    def lost(*arguments: Any) -> Any:
        terms = losses(*arguments)
        mark("loss")
        return terms

    with ExitStack() as stack:
        stack.enter_context(patch.object(TrainingSet, "batch", made))
        stack.enter_context(patch.object(method, "losses", lost))
        hooks = [
            optimizer.register_step_pre_hook(lambda *_: mark("backward")),
            optimizer.register_step_post_hook(lambda *_: mark("optimizer")),
        ]
        method.encoder = MarkedEncoder(encoder, mark)
        try:
            yield
        finally:
            method.encoder = encoder
            for hook in hooks:
                hook.remove()


def phases(setting: Setting, trainer: Trainer, run: Callable[[], int]) -> dict[str, float]:
    """Return the mean seconds of each phase of a step, over the steps of one epoch."""
    mark = Marks(setting.on_card)
    with marked(trainer, mark):
        run()
        setting.wait()
    return mark.seconds()
