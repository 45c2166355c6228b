"""First stages that trials share: a pre-training is trained by the first trial that needs it, and taken by the others.

A stage is addressed by the digest of everything that decides it, so that what is found there is, bit for bit on a CPU,
what the trial would have trained itself.
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from groupdir.config.stage import Stage
from groupdir.config.trial import TrialConfig
from groupdir.errors import DataError, FileWriteError
from groupdir.files.lease import Claim
from groupdir.files.storage import Place
from groupdir.files.write_whole import write_whole
from groupdir.methods.base import Method
from groupdir.training.checkpoint import load_checkpoint, save_checkpoint

CODE = 1
"""To be raised with every change of code that changes what a first stage leaves."""

LATEST = "latest.pt"
SAVE_EVERY = 30.0  # seconds of training that a death may cost
POLL = 0.2  # seconds


@dataclass(frozen=True)
class StageFolder:
    """Where shared stages are, and of which epochs a constant-rate stage leaves its state as it passes them.

    Attributes:
        path: A folder that all who share can write to; or those of this node, where there is a `store`.
        marks: Numbers of epochs.
        store: Where nodes that share no folder leave finished stages for one another. Each node trains a stage once at
            most; two that begin with it at the same time both train it, to the same end.
    """

    path: Path
    marks: tuple[int, ...] = ()
    store: Place | None = None


@dataclass(frozen=True)
class StageState:
    """A first stage after some of its epochs.

    Attributes:
        epoch: How many.
        model: Name of a parameter or buffer -> its value: those that the stage changes.
        optimizer: Name of a parameter -> what the optimizer remembers of it.
    """

    epoch: int
    model: Mapping[str, Tensor]
    optimizer: Mapping[str, Mapping[str, Tensor]]


class SharedStage:
    """A trial's first stage, which others may have trained, or be training.

    Args:
        where: Where stages are.
        config: The trial.
        method: The trial's.
        stage: Its first.
    """

    def __init__(self, where: StageFolder, config: TrialConfig, method: Method, stage: Stage) -> None:
        self.key = address(config, stage)
        name = hashlib.sha256(self.key.encode()).hexdigest()[:24]
        self.folder = where.path / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self._store = None if where.store is None else where.store / name
        self._epochs = stage.epochs
        constant = not stage.optim.schedule.follows_length
        self._keep = {stage.epochs, *(mark for mark in where.marks if constant and mark < stage.epochs)}
        self._names = tuple(name for name in method.state_dict() if name.startswith(method.changed(stage)))
        self._method = method
        self._claim = Claim(self.folder)
        self._saved = time.monotonic()

    def wait(self, own: int) -> StageState | None:
        """Waits until the stage is there, or is ours to train.

        Args:
            own: How many of its epochs this trial has trained itself.

        Returns:
            A later state to go on from, finished or not; None where the trial goes on from its own.
        """
        while (found := self._read(self._file(self._epochs))) is None and not self._claim.take():
            time.sleep(POLL)
        if found is None:
            self._fetch()
            found = self._read(self._file(self._epochs))  # its owner may have ended between the two looks
        if found is not None:
            self._claim.release()
            return found
        there = [self._read(self._file(mark)) for mark in sorted(self._keep)] + [self._read(self.folder / LATEST)]
        usable = [state for state in there if state is not None and own < state.epoch <= self._epochs]
        return max(usable, key=lambda state: state.epoch, default=None)

    def trained(self, epoch: int, optimizer: torch.optim.Optimizer) -> None:
        """Leaves what others can use after an epoch that this trial has trained.

        Args:
            epoch: How many epochs of the stage are done.
            optimizer: The stage's.
        """
        if epoch in self._keep:
            self._write(self._file(epoch), epoch, optimizer)
        if epoch == self._epochs:
            (self.folder / LATEST).unlink(missing_ok=True)
            self._claim.release()
        elif time.monotonic() - self._saved > SAVE_EVERY:
            self._write(self.folder / LATEST, epoch, optimizer)
            self._saved = time.monotonic()

    def release(self) -> None:
        """Lets others train it; needless once it is done."""
        self._claim.release()

    def put(self, state: StageState, optimizer: torch.optim.Optimizer) -> None:
        """Makes the trial's method and optimizer what they were."""
        self._method.load_state_dict({**self._method.state_dict(), **state.model})
        names = {parameter: name for name, parameter in self._method.named_parameters()}
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if (kept := state.optimizer.get(names[parameter])) is not None:
                    optimizer.state[parameter] = {
                        name: value.to(parameter.device) if value.dim() else value for name, value in kept.items()
                    }

    def _file(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:05d}.pt"

    def _write(self, path: Path, epoch: int, optimizer: torch.optim.Optimizer) -> None:
        values = self._method.state_dict()
        names = {parameter: name for name, parameter in self._method.named_parameters()}
        kept = {
            names[parameter]: dict(optimizer.state[parameter])
            for group in optimizer.param_groups
            for parameter in group["params"]
            if optimizer.state.get(parameter)
        }
        content = {
            "key": self.key,
            "epoch": epoch,
            "model": {name: values[name] for name in self._names},
            "optimizer": {name: state for name, state in kept.items() if name in self._names},
        }
        try:
            save_checkpoint(path, content)
            if self._store is not None and path.name != LATEST:
                (self._store / path.name).put(path)
        except (OSError, FileWriteError) as error:
            why = str(error).splitlines()[0]
            warnings.warn(f"{path}: is not kept, so that other trials train this stage too: {why}", stacklevel=2)

    def _fetch(self) -> None:
        """Takes over what other nodes have finished; only under the claim."""
        if self._store is None:
            return
        wanted = {self._file(epoch).name for epoch in self._keep}
        try:
            for name in wanted.intersection(self._store.names()):
                write_whole(self.folder / name, (self._store / name).read())
        except (OSError, FileWriteError) as error:
            warnings.warn(f"{self._store}: cannot be read: {str(error).splitlines()[0]}: trained here", stacklevel=2)

    def _read(self, path: Path) -> StageState | None:
        """The state in a file, or None where there is none."""
        if not path.is_file():
            return None
        content = load_checkpoint(path)
        if content["key"] != self.key or set(content["model"]) != set(self._names):
            raise DataError(f"{path}: is of another stage than its folder says: remove {path.parent}, and go on")
        return StageState(int(content["epoch"]), content["model"], content["optimizer"])


def address(config: TrialConfig, stage: Stage) -> str:
    """Return everything that decides what a trial's first stage leaves, as a text: its configuration and the code."""
    return json.dumps({"code": [CODE, torch.__version__], **config.shared_stage_key(stage)}, sort_keys=True)
