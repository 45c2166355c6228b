"""Training of a single epoch: the order of the samples, the optimizer steps and the mean of each loss term."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from groupdir.config.stage import Stage
from groupdir.config.trial import TrialConfig
from groupdir.data.base import Dataset
from groupdir.data.transfer import on_device
from groupdir.errors import MethodError
from groupdir.methods.base import Batch, Method
from groupdir.part import Part
from groupdir.seeds import mixed_seed
from groupdir.training.optim import lr_factor, set_lr
from groupdir.training.training_set import TrainingSet


@dataclass(frozen=True)
class EpochTrainer:
    """Trainer of single epochs. It holds no state: an epoch changes only the method and the optimizer.

    All random numbers of an epoch follow from the seed of its stage and the number of the epoch. A resume therefore
    needs no generator's state.

    Attributes:
        config: The trial.
        dataset: The trial's data set, for augmentation.
        method: The method to train, on its device.
        samples: The training samples.
        device: The device of the method.
    """

    config: TrialConfig
    dataset: Dataset
    method: Method
    samples: TrainingSet
    device: torch.device

    def train(self, stage: Stage, epoch: int, done: int, optimizer: torch.optim.Optimizer) -> dict[str, float]:
        """Train one epoch and return the mean of each loss term over the steps.

        Args:
            stage: The stage of the epoch.
            epoch: Number of the epoch over all stages, counted from 0.
            done: Number of finished epochs of the stage.
            optimizer: The optimizer of the stage.

        Raises:
            MethodError: If a loss is not finite or exceeds `train.max_loss`.
        """
        self.method.train()
        self.method.encoder.train(stage.encoder_lr > 0 or not stage.frozen_norms)
        self.method.encoder.requires_grad_(stage.encoder_lr > 0)
        size, count = self.config.train.batch_size, len(self.samples)
        generator = torch.Generator().manual_seed(mixed_seed(self.config.seed_of(stage), epoch))
        order = torch.randperm(count, generator=generator)
        steps = math.ceil(count / size)
        batch_of = partial(
            self.samples.batch, stage=stage, dataset=self.dataset, generator=generator, draws=self.draws(stage, epoch)
        )
        history: list[dict[str, Tensor]] = []
        parts = [module for module in self.method.modules() if isinstance(module, Part)]
        with torch.random.fork_rng(devices=self.cuda_devices):
            torch.manual_seed(mixed_seed(self.config.seed_of(stage), epoch, 1))
            for part in parts:
                part.begin_epoch(stage.name, done, stage.epochs)
            for step in range(steps):
                set_lr(optimizer, lr_factor(stage.optim, done * steps + step, stage.epochs * steps))
                rows = order[step * size : (step + 1) * size]
                with nullcontext() if len(rows) == size else self.uncompiled():
                    history.append(self.step(batch_of(rows), stage, optimizer))
                for part in parts:
                    part.end_step()
            with self.uncompiled():
                self._observe([part for part in parts if part.observes], stage, done, batch_of)
        return self._means(history, stage, epoch)

    def step(self, batch: Batch, stage: Stage, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
        """Take one optimizer step on a batch and return the loss terms, without gradients, on the device."""
        with self.autocast():
            terms = self.method.losses(batch, stage.name)
        # Of all parameters: a frozen encoder would otherwise keep the gradients of the previous stage.
        self.method.zero_grad(set_to_none=True)
        terms["loss"].backward()  # type: ignore[no-untyped-call]
        if stage.optim.grad_clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.method.parameters(), stage.optim.grad_clip_norm)
        optimizer.step()
        return {name: term.detach() for name, term in terms.items()}

    def draws(self, stage: Stage, epoch: int) -> Tensor | None:
        """Return an epoch's random numbers for the views of all samples, or None if the data set needs none.

        Returns:
            (views, N, dataset.draws) on the device, uniform in [0, 1).
        """
        if not self.dataset.draws or (stage.views == 1 and not self.dataset.augment_one_view):
            return None
        generator = torch.Generator().manual_seed(mixed_seed(self.config.seed_of(stage), epoch, 2))
        numbers = torch.rand(stage.views, len(self.samples), self.dataset.draws, generator=generator)
        return on_device(numbers, self.device)

    def autocast(self) -> torch.autocast:
        """Return the context in which the trial computes its losses: bfloat16 if `train.amp` is bf16."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.train.amp == "bf16")

    def uncompiled(self) -> AbstractContextManager[object]:
        """Return the context for everything but training steps on whole batches, in which the encoder is not compiled.

        With `train.compile`, torch would compile again for each other batch size and mode, a minute each time.
        """
        return torch.compiler.set_stance("force_eager") if self.config.train.compile else nullcontext()

    @property
    def cuda_devices(self) -> list[torch.device]:
        """CUDA devices whose random generators the training uses."""
        return [self.device] if self.device.type == "cuda" else []

    def _observe(self, parts: list[Part], stage: Stage, done: int, batch_of: Callable[[Tensor], Batch]) -> None:
        """Pass the features of all training samples to the parts that observe them, in stages that predict."""
        if not parts or not stage.predicts:
            return
        with torch.no_grad():
            for rows in torch.split(torch.arange(len(self.samples)), self.config.train.batch_size):
                batch = batch_of(rows)
                with self.autocast():
                    features = self.method.observed(batch)
                for part in parts:
                    part.observe(features, batch.label_bins)
        for part in parts:
            part.end_epoch(done)

    def _means(self, history: list[dict[str, Tensor]], stage: Stage, epoch: int) -> dict[str, float]:
        """Return the mean of each term over the steps. All terms are read from the device at once, which is faster.

        Raises:
            MethodError: If a loss is not finite or exceeds `train.max_loss`.
        """
        rows = {name: torch.stack([terms[name] for terms in history]).double().cpu().numpy() for name in history[0]}
        limit = self.config.train.max_loss
        wrong = ~(np.abs(rows["loss"]) <= limit)
        if wrong.any():
            step = int(wrong.argmax())
            values = ", ".join(f"{name} {row[step]:g}" for name, row in rows.items())
            raise MethodError(
                f"epoch {epoch + 1} ({stage.name}), step {step + 1} of {len(history)}: the loss must be finite and at "
                f"most {limit:g}, got {values}: lower optim.lr, or set optim.grad_clip_norm"
            )
        return {name: float(row.mean()) for name, row in rows.items()}
