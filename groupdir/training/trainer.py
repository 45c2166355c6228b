"""Trains one trial, an epoch at a time; a resumed one goes on bit for bit on a CPU. Knows nothing of a search."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from groupdir.config.stage import Stage, position, shareable
from groupdir.config.trial import TrialConfig
from groupdir.data.base import Dataset, Inputs, SplitName
from groupdir.data.transfer import as_tensor, on_device
from groupdir.errors import ConfigError, DataError, MethodError
from groupdir.methods.base import Batch
from groupdir.metrics import better
from groupdir.part import Part
from groupdir.registry import resolve
from groupdir.training.checkpoint import load_checkpoint, save_checkpoint
from groupdir.training.evaluate import errors, predict
from groupdir.training.optim import build_optimizer, lr_factor, set_lr
from groupdir.training.resampled import resampled
from groupdir.training.stages import SharedStage, StageFolder
from groupdir.training.training_set import TrainingSet


@dataclass(frozen=True)
class EpochResult:
    """One epoch of a trial.

    Attributes:
        epoch: Counted from 1 over all stages.
        stage: The stage's name.
        stage_epoch: Counted from 1 within the stage.
        predicts: Whether the stage predicts.
        fidelity: Epochs of predicting stages so far, this one included. Trials are compared at equal fidelity.
        metrics: `train_loss`, `train_<term>`, and `val_*` in label units; NaN where a stage has none or a shot is
            empty.
        seconds: Wall time of training and validation.
        last: Whether the trial ends with it.
    """

    epoch: int
    stage: str
    stage_epoch: int
    predicts: bool
    fidelity: int
    metrics: dict[str, float]
    seconds: float
    last: bool
    _trainer: Trainer = field(repr=False, compare=False)

    @classmethod
    def of(cls, trainer: Trainer, metrics: dict[str, float], seconds: float) -> Self:
        """Return the result of the epoch that a trainer has just ended."""
        at = position(trainer.stages, trainer.epoch)
        last = trainer.epoch == trainer.total_epochs
        place = (trainer.epoch, at.stage.name, at.stage_epoch, at.stage.predicts, at.fidelity)
        return cls(*place, metrics, seconds, last, trainer)

    def save(self, path: str | Path) -> None:
        """Writes a checkpoint of the trial as it stands, which is after this epoch until the next one is asked for."""
        self._trainer.save(path)


def run_trial(
    config: TrialConfig,
    *,
    resume: str | Path | None = None,
    dataset: Dataset | None = None,
    stages: StageFolder | None = None,
) -> Iterator[EpochResult]:
    """Trains a trial.

    Args:
        config: The trial.
        resume: A checkpoint of the same configuration to go on from.
        dataset: Its data set, where someone has loaded it already.
        stages: Where first stages are shared; None: not at all.

    Yields:
        Every epoch that is still to be trained by this trial: those of a first stage that another has trained are not.

    Raises:
        ConfigError: Parts of the configuration do not fit each other.
        DataError: The data, or the checkpoint, cannot be used.
        MethodError: A loss is not finite, or exploded.
    """
    trainer = Trainer(config, dataset, stages)
    if resume is not None:
        trainer.load(resume)
    yield from trainer.epochs()


def make_dataset(config: TrialConfig) -> Dataset:
    """The data set of a trial."""
    found: Dataset = resolve("data", config.data.name)(config.data)
    return found


class Trainer:
    """A trial in training.

    Args:
        config: The trial.
        dataset: Its data set, where someone has loaded it already.
        stages: Where first stages are shared; None: not at all.
        device: Where it trains; None: where the configuration says.
    """

    def __init__(
        self,
        config: TrialConfig,
        dataset: Dataset | None = None,
        stages: StageFolder | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.config = config
        self._stage_folder = stages
        self.device = device or device_of(config)
        self.dataset = dataset if dataset is not None and dataset.config == config.data else make_dataset(config)
        train, resampling = self.dataset.split("train"), config.method.resampling
        if resampling is not None:
            train = resampled(train, self.dataset, resampling, config.seed)
        if self.device.type == "cpu":
            torch.set_num_threads(config.train.threads)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            encoder = resolve("encoder", config.encoder.name)(config.encoder, self.dataset.inputs)
            self.method = resolve("method", config.method.name)(config.method, encoder, self.dataset.targets, train.y)
        self.method.to(self.device, memory_format=_memory_format(self.dataset))
        if config.train.compile:
            self.method.encoder.compile()  # in place: the names in a checkpoint stay as they are
        self.stages = config.stages
        self._check_views()
        self.training = TrainingSet.of(train, self.dataset, self.method, config, self.device)
        self.epoch = 0
        self.best: dict[str, Any] | None = None
        self.optimizer: torch.optim.Optimizer | None = None

    @property
    def total_epochs(self) -> int:
        """Of all stages together."""
        return sum(stage.epochs for stage in self.stages)

    def epochs(self) -> Iterator[EpochResult]:
        """Trains the epochs that are left; a first stage that is shared may be another trial's."""
        shared = self._join()
        try:
            yield from self._train(shared)
        finally:
            if shared is not None:
                shared.release()

    def _join(self) -> SharedStage | None:
        """Takes the first stage from where it is shared, or takes it on; None where it is over or is not shared."""
        first = shareable(self.stages)
        if self._stage_folder is None or first is None or self.epoch >= first.epochs:
            return None
        shared = SharedStage(self._stage_folder, self.config, self.method, first)
        state = shared.wait(self.epoch)
        if state is not None:
            self.optimizer = build_optimizer(self.method, first)
            shared.put(state, self.optimizer)
            self.epoch = state.epoch
        return shared

    def _train(self, shared: SharedStage | None) -> Iterator[EpochResult]:
        while self.epoch < self.total_epochs:
            at = position(self.stages, self.epoch + 1)
            stage, done = at.stage, at.stage_epoch - 1
            if done == 0 or self.optimizer is None:
                self.optimizer = build_optimizer(self.method, stage)
            start = time.perf_counter()
            terms = self._train_epoch(stage, done)
            self.epoch += 1
            metrics = {f"train_{name}": value for name, value in terms.items()} | self._validate(stage)
            self._keep(metrics)
            if shared is not None and at.index == 0:
                shared.trained(self.epoch, self.optimizer)
            yield EpochResult.of(self, metrics, time.perf_counter() - start)

    def evaluate(self, split: SplitName) -> dict[str, float]:
        """Errors on a split, names with its prefix; "test" only after everything has been chosen."""
        data = self.dataset.split(split)
        inputs = tuple(as_tensor(array) for array in data.inputs)
        found = predict(self.method, inputs, 4 * self.config.train.batch_size, self.config.train.amp, self._present)
        return errors(self.method, found, data.y, self.dataset.shots, f"{split}_")

    def _present(self, inputs: Inputs) -> Inputs:
        return self.dataset.present(inputs, self.dataset.inputs)

    def take_best(self) -> int:
        """Puts the weights of the epoch that `train.keep` means into the method, and says which it is."""
        if self.config.train.keep == "best" and self.best is not None:
            self.method.load_state_dict(self.best["model"])
            return int(self.best["epoch"])
        return self.epoch

    def save(self, path: str | Path) -> None:
        """Writes a checkpoint; see `load`."""
        inputs = dataclasses.asdict(self.dataset.inputs)
        inputs["vectors"] = None  # the encoder's own state holds them
        save_checkpoint(
            path,
            {
                "config": self.config.to_dict(),
                "digest": self.config.digest,
                "epoch": self.epoch,
                "inputs": inputs,
                "targets": dataclasses.asdict(self.dataset.targets),
                "train_y": self.training.y.cpu(),
                "model": self.method.state_dict(),
                "optimizer": None if self.optimizer is None else self.optimizer.state_dict(),
                "best": self.best,
            },
        )

    def load(self, path: str | Path) -> None:
        """Goes on from a checkpoint.

        Raises:
            DataError: It is broken, or of another configuration.
        """
        content = load_checkpoint(path)
        if content["digest"] != self.config.digest:
            different = _differences(content["config"], self.config.to_dict())
            raise DataError(
                f"{path}: is a checkpoint of another configuration: {different}; train from its own, or anew"
            )
        self.method.load_state_dict(content["model"])
        self.epoch, self.best = content["epoch"], content["best"]
        if self.epoch:
            self.optimizer = build_optimizer(self.method, position(self.stages, self.epoch).stage)
            self.optimizer.load_state_dict(content["optimizer"])

    def dry_step(self) -> None:
        """Takes one step of each stage and predicts one batch, then puts all back: for the peak of the memory it takes.

        That the weights stand beside themselves meanwhile is as in training, which keeps those of the best epoch.
        """
        before = {name: tensor.detach().clone() for name, tensor in self.method.state_dict().items()}
        size, rows = self.config.train.batch_size, torch.arange(len(self.training))
        optimizer = self.optimizer
        cuda = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda):
            for stage in self.stages:
                self.optimizer = build_optimizer(self.method, stage)
                self.method.train()
                self.method.encoder.requires_grad_(stage.encoder_lr > 0)
                draws = self._draws(stage)
                self._step(self.training.batch(rows[:size], stage, self.dataset, torch.Generator(), draws), stage)
            data = self.dataset.split("val")
            inputs = tuple(as_tensor(array[: 4 * size]) for array in data.inputs)
            predict(self.method, inputs, 4 * size, self.config.train.amp, self._present)
            self.optimizer = None
        self.method.zero_grad(set_to_none=True)
        self.method.load_state_dict(before)
        self.optimizer = optimizer

    def _check_views(self) -> None:
        if self.dataset.augments:
            return
        for stage in self.stages:
            if stage.views > 1:
                name, data = self.config.method.name, self.config.data.name
                raise ConfigError(
                    f"method ({name}): stage {stage.name} asks for {stage.views} views of each sample, but "
                    f"data set {data} "
                    "has no augmentation, so that they would be equal: set views (of that stage) to 1"
                )

    def _train_epoch(self, stage: Stage, done: int) -> dict[str, float]:
        """Trains one epoch and gives the means of the terms of the loss."""
        assert self.optimizer is not None
        self.method.train()
        self.method.encoder.train(stage.encoder_lr > 0 or not stage.frozen_norms)
        self.method.encoder.requires_grad_(stage.encoder_lr > 0)
        size, count = self.config.train.batch_size, len(self.training)
        # All that is random in an epoch follows from (seed, epoch), so that a resume needs no generator's state.
        generator = torch.Generator().manual_seed(_mix(self.config.seed, self.epoch))
        order = torch.randperm(count, generator=generator)
        steps = math.ceil(count / size)
        take = partial(
            self.training.batch, stage=stage, dataset=self.dataset, generator=generator, draws=self._draws(stage)
        )
        history: list[dict[str, Tensor]] = []
        parts = [module for module in self.method.modules() if isinstance(module, Part)]
        cuda = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=cuda):
            torch.manual_seed(_mix(self.config.seed, self.epoch, 1))
            for part in parts:
                part.begin_epoch(stage.name, done, stage.epochs)
            for step in range(steps):
                set_lr(self.optimizer, lr_factor(stage.optim, done * steps + step, stage.epochs * steps))
                history.append(self._step(take(order[step * size : (step + 1) * size]), stage))
                for part in parts:
                    part.end_step()
            self._observe([part for part in parts if part.observes], stage, done, take)
        return self._means(history, stage)

    def _observe(self, parts: list[Part], stage: Stage, done: int, take: Callable[[Tensor], Batch]) -> None:
        """Shows the features of all training samples to the parts that want them, once the heads are in training."""
        if not parts or not stage.predicts:
            return
        with torch.no_grad():
            for rows in torch.split(torch.arange(len(self.training)), self.config.train.batch_size):
                batch = take(rows)
                with self._autocast():
                    features = self.method.observed(batch)
                for part in parts:
                    part.observe(features, batch.label_bins)
        for part in parts:
            part.end_epoch(done)

    def _draws(self, stage: Stage) -> Tensor | None:
        """The epoch's random numbers of every sample and view, for a data set that takes such."""
        if not self.dataset.draws or (stage.views == 1 and not self.dataset.augment_one_view):
            return None
        generator = torch.Generator().manual_seed(_mix(self.config.seed, self.epoch, 2))
        numbers = torch.rand(stage.views, len(self.training), self.dataset.draws, generator=generator)
        return on_device(numbers, self.device)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.train.amp == "bf16")

    def _step(self, batch: Batch, stage: Stage) -> dict[str, Tensor]:
        assert self.optimizer is not None
        with self._autocast():
            terms = self.method.losses(batch, stage.name)
        self.method.zero_grad(set_to_none=True)  # of all: a frozen encoder would keep those of the stage before
        terms["loss"].backward()
        if stage.optim.grad_clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.method.parameters(), stage.optim.grad_clip_norm)
        self.optimizer.step()
        return {name: term.detach() for name, term in terms.items()}

    def _means(self, history: list[dict[str, Tensor]], stage: Stage) -> dict[str, float]:
        """Means over the steps, read from the device once; a loss that is not finite or too large ends the trial."""
        rows = {name: torch.stack([terms[name] for terms in history]).double().cpu().numpy() for name in history[0]}
        wrong = ~(np.abs(rows["loss"]) <= self.config.train.max_loss)
        if wrong.any():
            step = int(wrong.argmax())
            values = ", ".join(f"{name} {row[step]:g}" for name, row in rows.items())
            raise MethodError(
                f"epoch {self.epoch + 1} ({stage.name}), step {step + 1} of {len(history)}: the loss must be finite "
                f"and at most "
                f"{self.config.train.max_loss:g}, got {values}: lower optim.lr, or set optim.grad_clip_norm"
            )
        return {name: float(row.mean()) for name, row in rows.items()}

    def _validate(self, stage: Stage) -> dict[str, float]:
        found = self.evaluate("val")
        return found if stage.predicts else dict.fromkeys(found, math.nan)

    def _keep(self, metrics: dict[str, float]) -> None:
        if self.config.train.keep != "best":
            return
        name = self.dataset.targets.selected_by
        value = metrics[name]
        if math.isfinite(value) and (self.best is None or better(name, value, self.best["value"])):
            model = {name: tensor.detach().clone() for name, tensor in self.method.state_dict().items()}
            self.best = {"epoch": self.epoch, "value": value, "model": model}


def _memory_format(dataset: Dataset) -> torch.memory_format:
    """Convolutions are faster (1.3 times on digits on a CPU) where the channels of a pixel lie beside each other."""
    return torch.channels_last if dataset.inputs.kind == "image" else torch.preserve_format


def device_of(config: TrialConfig) -> torch.device:
    """Where a trial trains.

    Raises:
        ConfigError: It asks for a GPU, and there is none.
    """
    name = config.train.device
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"train.device: {name} asks for a GPU, but torch sees none: set it to auto or cpu")
    return torch.device(name)


def _mix(*parts: int) -> int:
    """A seed of its own for every combination of parts."""
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)


def _differences(old: Any, new: Any, address: str = "") -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        keys = list(dict.fromkeys([*old, *new]))
        found = [_differences(old.get(key), new.get(key), f"{address}.{key}".strip(".")) for key in keys]
        return ", ".join(text for text in found if text)
    return "" if old == new else f"{address} was {old!r}, is {new!r}"
