"""Rehearsal of a trial: one step of each of its stages on a few samples, which finds parts that do not fit.

Rehearsals run in a child process, so that a method which ends its process, or takes much memory, does not harm the
search.
"""

from __future__ import annotations

import math
import multiprocessing
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing.connection import Connection

import numpy as np
import torch

from groupdir.config.trial import TrialConfig
from groupdir.data.base import Dataset, InputSpec, Split
from groupdir.data.transfer import as_tensor
from groupdir.errors import ConfigError, GroupdirError, described
from groupdir.training.epoch import EpochTrainer
from groupdir.training.evaluate import predict
from groupdir.training.optim import build_optimizer
from groupdir.training.resampled import resampled
from groupdir.training.trainer import initial_method
from groupdir.training.training_set import TrainingSet

SAMPLES = 4
"""Number of samples of a rehearsal."""
LONGEST = 30.0
"""Seconds after which the remaining rehearsals are left out."""


@dataclass(frozen=True)
class Rehearsals:
    """Results of rehearsals.

    Attributes:
        errors: Message of each trial whose rehearsal failed.
        note: Why some trials were not rehearsed, or an empty text.
    """

    errors: Sequence[str]
    note: str = ""


def rehearse_all(trials: Sequence[TrialConfig], dataset: Dataset, *, real: bool) -> Rehearsals:
    """Rehearse trials in a child process.

    Args:
        trials: The trials, all with the same data.
        dataset: Their data set.
        real: As for `rehearse`.
    """
    if real:
        dataset.split("train")  # here, because a library with threads of its own may not work in the child
    _import_optimizers()
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_send_errors, args=(sender, trials, dataset, real), daemon=True)
    child.start()
    sender.close()
    errors: list[str] = []
    deadline, done = time.monotonic() + LONGEST, 0
    try:
        while done < len(trials) and receiver.poll(max(0.0, deadline - time.monotonic())):
            if error := receiver.recv():
                errors.append(error)
            done += 1
    except EOFError:
        child.join()
        name = trials[done].method.name
        return Rehearsals(errors, f"method ({name}): a first training step ended its process (code {child.exitcode})")
    finally:
        child.kill()
        child.join()
        receiver.close()
    untried = len(trials) - done
    note = f"{untried} combinations of values were not tried, because it took too long" if untried else ""
    return Rehearsals(errors, note)


@lru_cache
def _import_optimizers() -> None:
    """Import what torch imports with its first optimizer, which takes over a second, before children need it.

    A benchmark has many children. Each would import it again, because what a child imports is lost with the child.
    """
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)


def _send_errors(sender: Connection, trials: Sequence[TrialConfig], dataset: Dataset, real: bool) -> None:
    """Rehearse trials and send the message of each, which is empty after a success."""
    torch.set_num_threads(1)  # threads of the parent do not exist in a forked child
    warnings.simplefilter("ignore")
    for config in trials:
        try:
            rehearse(config, dataset, real=real)
        except ConfigError as error:
            sender.send(str(error))
        else:
            sender.send("")
    sender.close()


def rehearse(config: TrialConfig, dataset: Dataset, *, real: bool) -> None:
    """Build the method of a trial, take one step of each stage on the CPU, and predict.

    Args:
        config: The trial.
        dataset: Its data set.
        real: Whether to read samples of the training split. Otherwise random inputs of their shape stand for them, and
            only the labels are read.

    Raises:
        ConfigError: If a part cannot be built or a step fails.
    """
    try:
        _rehearse(config, dataset, real)
    except GroupdirError as error:
        raise ConfigError(str(error)) from error
    except Exception as error:
        raise ConfigError(f"method ({config.method.name}): a first training step fails: {described(error)}") from error


def _rehearse(config: TrialConfig, dataset: Dataset, real: bool) -> None:
    y = dataset.labels("train")
    if config.method.resampling is not None:
        inputs = dataset.split("train").inputs if real else (np.zeros((len(y), 2), np.float32),)
        y = resampled(Split(inputs, y), dataset, config.method.resampling, config.first_seed).y
    chosen = np.linspace(0, len(y) - 1, min(SAMPLES, len(y))).round().astype(int)
    if real and config.method.resampling is None:
        samples = Split(tuple(array[chosen] for array in dataset.split("train").inputs), y[chosen])
    else:
        samples = Split(random_inputs(dataset.inputs, len(chosen)), y[chosen])
    device, rows = torch.device("cpu"), torch.arange(len(chosen))
    method = initial_method(config, dataset, y)
    training = TrainingSet.of(samples, dataset, method, config, device)
    epochs = EpochTrainer(config, dataset, method, training, device)
    with torch.random.fork_rng(devices=[]):
        for stage in config.stages:
            optimizer = build_optimizer(method, stage)
            method.train()
            method.encoder.requires_grad_(stage.encoder_lr > 0)
            batch = training.batch(rows, stage, dataset, torch.Generator(), epochs.draws(stage, 0))
            epochs.step(batch, stage, optimizer)
        inputs_shown = tuple(as_tensor(array) for array in samples.inputs)
        predict(
            method, inputs_shown, len(rows), config.train.amp, lambda inputs: dataset.present(inputs, dataset.inputs)
        )


def random_inputs(spec: InputSpec, samples: int) -> tuple[np.ndarray, ...]:
    """Return random inputs in the format of the splits of a data set.

    Args:
        spec: Kind and shape of the inputs.
        samples: Number of samples.
    """
    rng = np.random.default_rng(0)
    if spec.kind == "token_pair":
        assert spec.vectors is not None
        tokens = rng.integers(1, len(spec.vectors), (samples, *spec.shape))
        return tokens, np.full((samples, 2), spec.shape[-1], np.int64)
    if spec.mean is not None:
        channels, *size = spec.shape
        return (rng.integers(0, 256, (samples, *size, channels)).astype(np.uint8),)
    return (rng.random((samples, *spec.shape), np.float32) * math.sqrt(3),)
