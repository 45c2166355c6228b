"""Trainable of a trial for Ray Tune. Only this file of the package imports Ray."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ray import tune

from groupdir.config.trial import TrialConfig
from groupdir.data.base import Dataset
from groupdir.errors import (
    DataError,
    DeviceMemoryError,
    DiskFullError,
    FileWriteError,
    GroupdirError,
    NodeError,
    OtherCodeError,
)
from groupdir.files.storage import Place, local_copy
from groupdir.files.study_files import CHECKPOINT, EPOCH_REPORT, STAGES
from groupdir.files.write_whole import FULL
from groupdir.node.gpu_share import trainer_on_share
from groupdir.node.probe import code_digest
from groupdir.training.device_memory import explain_out_of_memory
from groupdir.training.stages import StageFolder
from groupdir.training.trainer import EpochResult, Trainer


class TrialTrainable(tune.Trainable):
    """Ray trainable of a trial, which trains one epoch per step.

    The mapping `config` of the constructor has these keys:

    - `trial`: number of the trial.
    - `config`: `TrialConfig.to_dict()` of the trial.
    - `code`: digest of the source of groupdir on the driver. Optional.
    - `resume`: checkpoint folder from an earlier driver to resume from, or None.
    - `stages`: mapping of `place` and `marks` of shared first stages, or None.
    - `resources`: resources that the trial requests from a node, by their names in Ray.
    """

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """Return the resources that Ray must reserve for the trial."""
        return tune.PlacementGroupFactory([config["resources"]])

    def setup(self, config: dict[str, Any], dataset: Dataset | None = None) -> None:
        """Build the trial.

        Args:
            config: Mapping as described in the class.
            dataset: Data set that trials share through the object store, or None.
        """
        self._dataset = dataset
        self._begin(config)

    def _begin(self, config: dict[str, Any]) -> None:
        self._trial = int(config["trial"])
        # `step` raises this error: for an error in `setup`, Ray reports only the text or does not retry the trial.
        self._refusal: GroupdirError | None = None
        if config.get("code", code_digest()) != code_digest():
            self._refusal = OtherCodeError(
                f"node {socket.gethostname()}: groupdir must have the code of the driver, got code {code_digest()}: "
                "update the checkout on that node, restart Ray there, and resume the search"
            )
            return
        try:
            if self._dataset is not None:
                self._dataset.prepare()  # the driver did this already, so a failure is specific to this node
        except DataError as error:
            self._refusal = NodeError(
                f"node {socket.gethostname()}: the data of the driver must also be on this node, got: {error}: copy "
                "the data there and resume the search, which continues without loss"
            )
            return
        stages = self._stages(config["stages"]) if config.get("stages") else None
        try:
            self._trainer = self._build(TrialConfig.from_dict(config["config"], f"trial {self._trial}"), stages)
        except DeviceMemoryError as error:
            self._refusal = DeviceMemoryError(str(error))  # a new error: the old traceback keeps the tensors
            return
        if config.get("resume"):
            with local_copy(config["resume"]) as folder:
                self._say(self._trainer.resume(folder / CHECKPOINT))
        self._epochs: Iterator[EpochResult] = self._trainer.epochs()

    def _build(self, trial: TrialConfig, stages: StageFolder | None) -> Trainer:
        return trainer_on_share(trial, self._dataset, stages, self.gpu_share)

    def _stages(self, shared: dict[str, Any]) -> StageFolder:
        """Return the folder of first stages. Without a shared folder, each node has one in Ray's experiment folder."""
        place = Place.at(shared["place"])
        if place.path is not None:
            return StageFolder(place.path, tuple(shared["marks"]))
        return StageFolder(Path(self.logdir).parent.parent / STAGES, tuple(shared["marks"]), place)

    def _say(self, text: str) -> None:
        """Print a line to the log that Ray keeps of this process."""
        if text:
            print(f"trial {self._trial}: {text}", flush=True)

    @property
    def gpu_share(self) -> float:
        """Share of a GPU that this trial has: 0 without a GPU, and more than 1 with several GPUs."""
        request = self.trial_resources
        return float(request.required_resources.get("GPU", 0.0)) if request is not None else 0.0

    def step(self) -> dict[str, Any]:
        """Train one epoch and return its row of flat numbers.

        Raises:
            GroupdirError: If `setup` failed because of this node or because of the memory of its GPU.
        """
        if self._refusal is not None:
            raise self._refusal
        trainer = self._trainer
        with explain_out_of_memory(trainer.device, min(1.0, self.gpu_share) or 1.0):
            result = next(self._epochs, None)
        if result is None:  # the checkpoint was of the last epoch, whose row exists already
            result = EpochResult.of(trainer, trainer.evaluate("val"), 0.0)
        report = {name: value for name, value in vars(result).items() if name in EPOCH_REPORT}
        row = {"trial": self._trial, "seed": trainer.config.seed, "epoch": result.epoch, "done": result.last}
        return row | report | {name: float(value) for name, value in result.metrics.items()}

    def save(self, checkpoint_dir: str | None = None) -> Any:
        """Write a checkpoint and copy it to the storage that all nodes read.

        Raises:
            DiskFullError: If the disk of this node or of the storage is full.
        """
        try:
            return super().save(checkpoint_dir)
        except (OSError, FileWriteError) as error:
            full = error.disk_full if isinstance(error, FileWriteError) else error.errno in FULL
            if not full:
                raise
            raise DiskFullError(
                f"node {socket.gethostname()}: there is no space for a checkpoint: {error}: free disk space and resume "
                "the search, which continues without loss"
            ) from error

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write the state of the trial into a folder."""
        self._trainer.save(Path(checkpoint_dir) / CHECKPOINT)

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Resume from a folder that `save_checkpoint` wrote."""
        if self._refusal is not None:
            return
        self._say(self._trainer.resume(Path(checkpoint) / CHECKPOINT))
        self._epochs = self._trainer.epochs()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Start another trial in the same process, which avoids new imports and loading the data again."""
        for name in ("_trainer", "_epochs"):  # keep only one trial in GPU memory; a refused trial has none
            self.__dict__.pop(name, None)
        self._begin(new_config)
        return True
