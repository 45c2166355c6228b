"""Training of one trial, independent of any search. A resumed trial gives the same results, bit for bit on a CPU."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from groupdir.config.fit import misfits
from groupdir.config.stage import Stage, position, shareable
from groupdir.config.trial import TrialConfig
from groupdir.data.base import Dataset, Inputs, SplitName
from groupdir.data.transfer import as_tensor
from groupdir.errors import ConfigError, DamagedFileError, DataError, Mistake
from groupdir.files.sealed import quarantine
from groupdir.methods.base import Method
from groupdir.metrics import better
from groupdir.registry import resolve
from groupdir.training.checkpoint import save_checkpoint
from groupdir.training.epoch import EpochTrainer
from groupdir.training.evaluate import Predictions, errors, predict
from groupdir.training.optim import build_optimizer, load_optimizer
from groupdir.training.resampled import resampled
from groupdir.training.stages import SharedStage, StageFolder
from groupdir.training.training_set import TrainingSet
from groupdir.training.trial_checkpoint import TrialCheckpoint, check_weights, usable


@dataclass(frozen=True)
class EpochResult:
    """Result of one epoch of a trial.

    Attributes:
        epoch: Number of the epoch over all stages, counted from 1.
        stage: Name of the stage.
        stage_epoch: Number of the epoch within the stage, counted from 1.
        predicts: Whether the heads predict in this stage.
        fidelity: Epochs of predicting stages so far, this one included. Trials are compared at equal fidelity.
        metrics: `train_loss`, `train_<term>`, and `val_*` in label units. A `val_*` metric is NaN if the stage does
            not predict or its shot is empty.
        seconds: Wall time of training and validation.
        last: Whether this is the last epoch of the trial.
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
        """Return the result of the epoch that a trainer has just finished."""
        at = position(trainer.stages, trainer.epoch)
        last = trainer.epoch == trainer.total_epochs
        place = (trainer.epoch, at.stage.name, at.stage_epoch, at.stage.predicts, at.fidelity)
        return cls(*place, metrics, seconds, last, trainer)

    def save(self, path: str | Path) -> None:
        """Write a checkpoint of the trial. Call this before the next epoch is requested from the iterator."""
        self._trainer.save(path)


def run_trial(
    config: TrialConfig,
    *,
    resume: str | Path | None = None,
    dataset: Dataset | None = None,
    stages: StageFolder | None = None,
) -> Iterator[EpochResult]:
    """Train a trial, one epoch at a time.

    Args:
        config: The trial.
        resume: A checkpoint of the same configuration to resume from.
        dataset: The trial's data set, if it is loaded already.
        stages: The folder of shared first stages, or None to train every stage here.

    Yields:
        The result of each remaining epoch. Epochs of a first stage that another trial has trained are skipped.

    Raises:
        ConfigError: If parts of the configuration do not fit each other.
        DataError: If the data or the checkpoint cannot be used.
        MethodError: If a loss is not finite or exceeds `train.max_loss`.
    """
    trainer = Trainer(config, dataset, stages)
    if resume is not None:
        trainer.load(resume)
    yield from trainer.epochs()


def make_dataset(config: TrialConfig) -> Dataset:
    """Return the data set of a trial."""
    dataset: Dataset = resolve("data", config.data.name)(config.data)
    return dataset


class Trainer:
    """Trainer of one trial: its method, its optimizer, and the epoch that it has reached.

    Args:
        config: The trial.
        dataset: The trial's data set, if it is loaded already.
        stages: The folder of shared first stages, or None to train every stage here.
        device: The device to train on, or None for the configured one.
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
        if wrong := misfits(config, self.dataset.augments):
            raise ConfigError([Mistake(address, text) for address, text in wrong.items()])
        train, resampling = self.dataset.split("train"), config.method.resampling
        if resampling is not None:
            train = resampled(train, self.dataset, resampling, config.first_seed)
        torch.set_num_threads(config.train.threads)
        self.method = initial_method(config, self.dataset, train.y)
        self.method.to(self.device, memory_format=_memory_format(self.dataset))  # type: ignore[call-overload]  # torch's stubs lack this pair
        if config.train.compile:
            self.method.encoder.compile()  # in place, so that the names in a checkpoint stay the same
        self.stages = config.stages
        self.training = TrainingSet.of(train, self.dataset, self.method, config, self.device)
        self.epoch_trainer = EpochTrainer(config, self.dataset, self.method, self.training, self.device)
        self.epoch = 0
        self.best: dict[str, Any] | None = None
        self.optimizer: torch.optim.Optimizer | None = None

    @property
    def total_epochs(self) -> int:
        """Number of epochs of all stages together."""
        return sum(stage.epochs for stage in self.stages)

    def epochs(self) -> Iterator[EpochResult]:
        """Train the remaining epochs; see `run_trial`."""
        shared = self._join()
        try:
            yield from self._train(shared)
        finally:
            if shared is not None:
                shared.release()

    def _join(self) -> SharedStage | None:
        """Load a shared first stage if another trial has trained it, else claim it so that this trial trains it.

        Returns:
            The stage, or None if it is finished or not shared.
        """
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
            terms = self.epoch_trainer.train(stage, self.epoch, done, self.optimizer)
            self.epoch += 1
            metrics = {f"train_{name}": value for name, value in terms.items()} | self._validate(stage)
            self._keep(metrics)
            if shared is not None and at.index == 0:
                shared.trained(self.epoch, self.optimizer)
            yield EpochResult.of(self, metrics, time.perf_counter() - start)

    def evaluate(self, split: SplitName) -> dict[str, float]:
        """Return the metrics of a split, named with its prefix. Use "test" only after everything has been chosen."""
        return self.errors(split, self.predict(split))

    def predict(self, split: SplitName) -> Predictions:
        """Return the predictions for a split. Use "test" only after everything has been chosen."""
        inputs = tuple(as_tensor(array) for array in self.dataset.split(split).inputs)
        with self.epoch_trainer.uncompiled():
            return predict(self.method, inputs, 4 * self.config.train.batch_size, self.config.train.amp, self._present)

    def errors(self, split: SplitName, predictions: Predictions) -> dict[str, float]:
        """Return the metrics of predictions for a split, named with its prefix."""
        return errors(self.method, predictions, self.dataset.split(split).y, self.dataset.shots, f"{split}_")

    def _present(self, inputs: Inputs) -> Inputs:
        return self.dataset.present(inputs, self.dataset.inputs)

    def take_best(self) -> int:
        """Load the weights of the epoch that `train.keep` selects into the method, and return its number."""
        if self.config.train.keep == "best" and self.best is not None:
            self.method.load_state_dict(self.best["model"])
            return int(self.best["epoch"])
        return self.epoch

    def save(self, path: str | Path) -> None:
        """Write a checkpoint, from which `load` resumes."""
        inputs = dataclasses.asdict(self.dataset.inputs)
        inputs["vectors"] = None  # the encoder's state holds them
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
        """Resume from a checkpoint.

        Raises:
            DataError: If the checkpoint is broken or belongs to another configuration.
        """
        content = TrialCheckpoint.read(path)
        if content.digest != self.config.digest:
            different = _differences(content.settings, self.config.to_dict())
            raise DataError(
                f"{path}: is a checkpoint of another configuration: {different}: resume with the configuration of the "
                "checkpoint, or train without it"
            )
        if content.epoch > self.total_epochs or (content.epoch > 0) != (content.optimizer is not None):
            raise DataError(f"{path}: must have an optimizer's state and an epoch of at most {self.total_epochs}")
        with usable(path):
            for state in (content.model, *([] if content.best is None else [content.best["model"]])):
                check_weights(self.method, state)
            self.method.load_state_dict(content.model)
            if content.optimizer is not None:
                self.optimizer = build_optimizer(self.method, position(self.stages, content.epoch).stage)
                load_optimizer(self.optimizer, content.optimizer)
        self.epoch, self.best = content.epoch, content.best

    def resume(self, path: str | Path) -> str:
        """Resume from a checkpoint. Set a damaged one aside, so that the training starts at its first epoch.

        Returns:
            A message about a damaged checkpoint, or an empty text.

        Raises:
            DataError: If the checkpoint belongs to another configuration.
        """
        try:
            self.load(path)
        except DamagedFileError as error:
            return f"starts again at its first epoch: {error}; the file is kept as {quarantine(path).name}"
        return ""

    def dry_step(self) -> None:
        """Take one step of each stage and predict one batch to reach the peak of the memory, then undo the changes.

        The copy of the weights that this holds stands for the copy of the best weights that a training holds.
        """
        before = {name: tensor.detach().clone() for name, tensor in self.method.state_dict().items()}
        size, rows = self.config.train.batch_size, torch.arange(len(self.training))
        epochs = self.epoch_trainer
        with torch.random.fork_rng(devices=epochs.cuda_devices):
            for stage in self.stages:
                optimizer = build_optimizer(self.method, stage)
                self.method.train()
                self.method.encoder.requires_grad_(stage.encoder_lr > 0)
                draws = epochs.draws(stage, self.epoch)
                batch = self.training.batch(rows[:size], stage, self.dataset, torch.Generator(), draws)
                epochs.step(batch, stage, optimizer)
            data = self.dataset.split("val")
            inputs = tuple(as_tensor(array[: 4 * size]) for array in data.inputs)
            with epochs.uncompiled():
                predict(self.method, inputs, 4 * size, self.config.train.amp, self._present)
        self.method.zero_grad(set_to_none=True)
        self.method.load_state_dict(before)

    def _validate(self, stage: Stage) -> dict[str, float]:
        """Return the validation metrics, which are NaN in a stage that does not predict."""
        metrics = self.evaluate("val")
        return metrics if stage.predicts else dict.fromkeys(metrics, math.nan)

    def _keep(self, metrics: dict[str, float]) -> None:
        """Store the weights if `train.keep` is best and this epoch is the best so far."""
        if self.config.train.keep != "best":
            return
        name = self.dataset.targets.selected_by
        value = metrics[name]
        if math.isfinite(value) and (self.best is None or better(name, value, self.best["value"])):
            model = {name: tensor.detach().clone() for name, tensor in self.method.state_dict().items()}
            self.best = {"epoch": self.epoch, "value": value, "model": model}


def initial_method(config: TrialConfig, dataset: Dataset, train_y: np.ndarray) -> Method:
    """Return the method of a trial with its initial weights.

    With a `stage_seed`, the weights that the first stage changes follow from it, and all others from the trial's seed.
    """

    def initial(seed: int) -> Method:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            encoder = resolve("encoder", config.encoder.name)(config.encoder, dataset.inputs)
            method: Method = resolve("method", config.method.name)(config.method, encoder, dataset.targets, train_y)
        return method

    method, first = initial(config.first_seed), shareable(config.stages)
    if first is not None and config.first_seed != config.seed:
        changed = method.changed(first)
        other = initial(config.seed).state_dict()
        rest = {name: value for name, value in other.items() if not name.startswith(changed)}
        method.load_state_dict({**method.state_dict(), **rest})
    return method


def _memory_format(dataset: Dataset) -> torch.memory_format:
    """Return the memory format of the method's tensors.

    Pictures have the channels of a pixel next to each other, which makes convolutions faster (1.3 times on digits on a
    CPU).
    """
    return torch.channels_last if dataset.inputs.kind == "image" else torch.preserve_format


def device_of(config: TrialConfig) -> torch.device:
    """Return the device that a trial trains on.

    Raises:
        ConfigError: If the trial asks for a GPU and torch sees none.
    """
    name = config.train.device
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"train.device: {name} asks for a GPU, but torch sees none: set it to auto or cpu")
    return torch.device(name)


def _differences(old: Any, new: Any, address: str = "") -> str:
    """Return the entries in which two configurations differ, as a text."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = list(dict.fromkeys([*old, *new]))
        texts = [_differences(old.get(key), new.get(key), f"{address}.{key}".strip(".")) for key in keys]
        return ", ".join(text for text in texts if text)
    return "" if old == new else f"{address} was {old!r}, is {new!r}"
