"""First stages that trials share: the first trial that needs a pre-training trains it, and the others load it.

The name of a stage's folder is the digest of everything that decides its result. A loaded stage is therefore equal, bit
for bit on a CPU, to the stage that the trial would have trained.
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from groupdir.config.stage import Stage
from groupdir.config.trial import TrialConfig
from groupdir.errors import DataError, FileWriteError
from groupdir.files.fence import Fence
from groupdir.files.lease import Claim
from groupdir.files.sealed import quarantine
from groupdir.files.storage import Place
from groupdir.files.study_files import GIVEN_UP
from groupdir.files.write_whole import discard_partials, make_folder, write_whole
from groupdir.methods.base import Method
from groupdir.training.checkpoint import load_checkpoint, save_checkpoint
from groupdir.training.optim import load_optimizer

CODE = 1
"""Version of the code of first stages. Raise it with every change of code that changes the result of one."""

LATEST = "latest.pt"
SAVE_EVERY = 30.0  # seconds of training: the most that the death of a process costs
POLL = 0.2  # seconds between two checks for a stage that another trial trains


@dataclass(frozen=True)
class StageFolder:
    """Folder of shared stages, and the epochs at which the state of a stage is saved.

    Attributes:
        path: A folder that all trials that share stages can write to. With a `store`, a folder of this node.
        marks: Numbers of epochs at which a stage with a constant learning rate saves its state, for trials whose first
            stage is shorter.
        store: Storage for finished stages, for nodes that share no folder, or None. Each node trains a stage at most
            once. Two nodes that start it at the same time both train it, with the same result.
        attempt: Text of the `Attempt` at the trial, by which the driver can make its claims void; empty without driver.
    """

    path: Path
    marks: tuple[int, ...] = ()
    store: Place | None = None
    attempt: str = ""


@dataclass(frozen=True)
class StageState:
    """State of a first stage after some of its epochs.

    Attributes:
        epoch: Number of epochs trained.
        model: Name of a parameter or buffer that the stage changes -> its value.
        optimizer: Name of a parameter -> its optimizer state.
    """

    epoch: int
    model: Mapping[str, Tensor]
    optimizer: Mapping[str, Mapping[str, Tensor]]


class SharedStage:
    """First stage of a trial, which another trial may have trained or be training.

    Args:
        where: The folder of shared stages.
        config: The trial.
        method: The trial's method.
        stage: The trial's first stage.
    """

    def __init__(self, where: StageFolder, config: TrialConfig, method: Method, stage: Stage) -> None:
        self.key = address(config, stage)
        name = hashlib.sha256(self.key.encode()).hexdigest()[:24]
        self.folder = where.path / name
        make_folder(self.folder)
        self._store = None if where.store is None else where.store / name
        self._epochs = stage.epochs
        constant = not stage.optim.schedule.follows_length
        self._keep = {stage.epochs, *(mark for mark in where.marks if constant and mark < stage.epochs)}
        self._names = tuple(name for name in method.state_dict() if name.startswith(method.changed(stage)))
        self._method = method
        self._claim = Claim(self.folder, where.attempt, Fence(where.path / GIVEN_UP))
        self._saved = time.monotonic()

    def wait(self, trained: int) -> StageState | None:
        """Wait until another trial has finished the stage, or until this trial has claimed it.

        Args:
            trained: Number of epochs of the stage that this trial has trained.

        Returns:
            The finished stage, or else the latest saved state with more epochs than `trained`, to continue from. None
            if there is none, so that the trial continues from its present state.
        """
        while (finished := self._read(self._file(self._epochs))) is None and not self._claim.take():
            time.sleep(POLL)
        if finished is None:
            self._fetch()
            # The previous owner may have finished between the last read and the claim.
            finished = self._read(self._file(self._epochs))
        if finished is not None:
            self._claim.release()
            return finished
        files = [*map(self._file, sorted(self._keep)), self.folder / LATEST]
        for file in files:
            discard_partials(file)  # of an owner that was killed; the claim excludes every other writer
        saved = [self._read(file) for file in files]
        usable = [state for state in saved if state is not None and trained < state.epoch <= self._epochs]
        return max(usable, key=lambda state: state.epoch, default=None)

    def trained(self, epoch: int, optimizer: torch.optim.Optimizer) -> None:
        """Save the state for other trials after an epoch that this trial has trained, if the epoch is one to save.

        Args:
            epoch: Number of epochs of the stage trained so far.
            optimizer: The optimizer of the stage.
        """
        saves = epoch in self._keep or time.monotonic() - self._saved > SAVE_EVERY
        if saves and not self._claim.held:
            return  # another trial has taken over and may have saved a later epoch
        if epoch in self._keep:
            self._write(self._file(epoch), epoch, optimizer)
        if epoch == self._epochs:
            (self.folder / LATEST).unlink(missing_ok=True)
            self._claim.release()
        elif time.monotonic() - self._saved > SAVE_EVERY:
            self._write(self.folder / LATEST, epoch, optimizer)
            self._saved = time.monotonic()

    def release(self) -> None:
        """Give up the claim, so that another trial can train the stage. A finished stage has no claim any more."""
        self._claim.release()

    def put(self, state: StageState, optimizer: torch.optim.Optimizer) -> None:
        """Load a state into the trial's method and optimizer."""
        self._method.load_state_dict({**self._method.state_dict(), **state.model})
        names = {parameter: name for name, parameter in self._method.named_parameters()}
        parameters = [names[parameter] for group in optimizer.param_groups for parameter in group["params"]]
        memory = {index: state.optimizer[name] for index, name in enumerate(parameters) if name in state.optimizer}
        load_optimizer(optimizer, optimizer.state_dict() | {"state": memory})

    def _file(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:05d}.pt"

    def _write(self, path: Path, epoch: int, optimizer: torch.optim.Optimizer) -> None:
        """Write the state to a file and to the storage. If that fails, warn: the trial itself can continue."""
        values = self._method.state_dict()
        names = {parameter: name for name, parameter in self._method.named_parameters()}
        memory = {
            names[parameter]: dict(optimizer.state[parameter])
            for group in optimizer.param_groups
            for parameter in group["params"]
            if optimizer.state.get(parameter)
        }
        content = {
            "key": self.key,
            "epoch": epoch,
            "model": {name: values[name] for name in self._names},
            "optimizer": {name: state for name, state in memory.items() if name in self._names},
        }
        try:
            save_checkpoint(path, content)
            if self._store is not None and path.name != LATEST:
                (self._store / path.name).put(path)
        except (OSError, FileWriteError) as error:
            why = str(error).splitlines()[0]
            warnings.warn(f"{path}: cannot be saved, so that other trials train this stage too: {why}", stacklevel=2)

    def _fetch(self) -> None:
        """Copy the states that other nodes have finished into this node's folder. Call it only under the claim."""
        if self._store is None:
            return
        wanted = {self._file(epoch).name for epoch in self._keep}
        try:
            for name in wanted.intersection(self._store.names()):
                write_whole(self.folder / name, (self._store / name).read())
        except (OSError, FileWriteError) as error:
            why = str(error).splitlines()[0]
            warnings.warn(f"{self._store}: cannot be read, so that the stage is trained here: {why}", stacklevel=2)

    def _read(self, path: Path) -> StageState | None:
        """Return the state in a file, or None if there is no such file.

        A damaged file is renamed and not used, so that the stage is trained again.
        """
        if not path.is_file():
            return None
        try:
            content = load_checkpoint(path)
            if content["key"] != self.key or set(content["model"]) != set(self._names):
                raise DataError(f"{path}: holds another stage than its folder's name says")
            return StageState(int(content["epoch"]), content["model"], content["optimizer"])
        except (DataError, KeyError, TypeError, ValueError) as error:
            with suppress(FileNotFoundError):  # another process has renamed it meanwhile
                warnings.warn(f"{error}; it is kept as {quarantine(path).name} and trained again", stacklevel=2)
            return None


def address(config: TrialConfig, stage: Stage) -> str:
    """Return a text of everything that decides the result of a trial's first stage: its configuration and the code."""
    return json.dumps({"code": [CODE, torch.__version__], **config.shared_stage_key(stage)}, sort_keys=True)
