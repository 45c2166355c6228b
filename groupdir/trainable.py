"""A trial as Ray Tune sees it: the only file of this package that imports Ray."""

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
from groupdir.training.device_memory import told
from groupdir.training.stages import StageFolder
from groupdir.training.trainer import EpochResult, Trainer


class TrialTrainable(tune.Trainable):
    """Trains one epoch a step.

    Its `config` holds `trial` (its number), `config` (`TrialConfig.to_dict()`), `code`: digest of the driver's,
    `resume`: a checkpoint folder of an earlier driver to go on from, or None, `stages`: where first stages are shared
    (`place`, `marks`), or None, and `resources`: what it takes of a node, by Ray's names.
    """

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """What Ray has to find for it."""
        return tune.PlacementGroupFactory([config["resources"]])

    def setup(self, config: dict[str, Any], dataset: Dataset | None = None) -> None:
        """Builds the trial.

        Args:
            config: See the class.
            dataset: The data set that all trials share through the object store, if they share one.
        """
        self._dataset = dataset
        self._begin(config)

    def _begin(self, config: dict[str, Any]) -> None:
        self._trial = int(config["trial"])
        # `step` raises it: of an error while a trial is set up Ray tells the text alone, or does not try it again.
        self._refusal: GroupdirError | None = None
        if config.get("code", code_digest()) != code_digest():
            self._refusal = OtherCodeError(
                f"node {socket.gethostname()}: groupdir must be the driver's, got code {code_digest()}: bring the "
                "checkout there up to date, start Ray again on that node, and resume the search"
            )
            return
        try:
            if self._dataset is not None:
                self._dataset.prepare()  # the driver could, so that it is this node's fault if that fails
        except DataError as error:
            self._refusal = NodeError(
                f"node {socket.gethostname()}: the data must be there as they are for the driver, got: {error}: put "
                "them there, and resume the search, which lost nothing"
            )
            return
        stages = self._stages(config["stages"]) if config.get("stages") else None
        try:
            self._trainer = self._build(TrialConfig.from_dict(config["config"], f"trial {self._trial}"), stages)
        except DeviceMemoryError as error:
            self._refusal = DeviceMemoryError(str(error))  # a new one: the traceback holds the tensors
            return
        if config.get("resume"):
            with local_copy(config["resume"]) as folder:
                self._trainer.load(folder / CHECKPOINT)
        self._epochs: Iterator[EpochResult] = self._trainer.epochs()

    def _build(self, trial: TrialConfig, stages: StageFolder | None) -> Trainer:
        return trainer_on_share(trial, self._dataset, stages, self.gpu_share)

    def _stages(self, shared: dict[str, Any]) -> StageFolder:
        """Where first stages are: nodes that share no folder have one each, in Ray's own of this experiment."""
        place = Place.at(shared["place"])
        if place.path is not None:
            return StageFolder(place.path, tuple(shared["marks"]))
        return StageFolder(Path(self.logdir).parent.parent / STAGES, tuple(shared["marks"]), place)

    @property
    def gpu_share(self) -> float:
        """Of a GPU that this trial was given; 0 where it was given none, and more than 1 where several."""
        asked = self.trial_resources
        return float(asked.required_resources.get("GPU", 0.0)) if asked is not None else 0.0

    def step(self) -> dict[str, Any]:
        """One epoch, as flat numbers."""
        if self._refusal is not None:
            raise self._refusal
        trainer = self._trainer
        with told(trainer.device, min(1.0, self.gpu_share) or 1.0):
            result = next(self._epochs, None)
        if result is None:  # its checkpoint was of the last epoch, whose row is there already
            result = EpochResult.of(trainer, trainer.evaluate("val"), 0.0)
        about = {name: value for name, value in vars(result).items() if name in EPOCH_REPORT}
        row = {"trial": self._trial, "seed": trainer.config.seed, "epoch": result.epoch, "done": result.last}
        return row | about | {name: float(value) for name, value in result.metrics.items()}

    def save(self, checkpoint_dir: str | None = None) -> Any:
        """Writes a checkpoint, and brings it to where all nodes read it.

        Raises:
            DiskFullError: A disk is full, here or there.
        """
        try:
            return super().save(checkpoint_dir)
        except (OSError, FileWriteError) as error:
            full = error.disk_full if isinstance(error, FileWriteError) else error.errno in FULL
            if not full:
                raise
            raise DiskFullError(
                f"node {socket.gethostname()}: there must be room for a checkpoint, got: {error}: free some there, and "
                "resume the search, which lost nothing"
            ) from error

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Writes the trial into a folder."""
        self._trainer.save(Path(checkpoint_dir) / CHECKPOINT)

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Goes on from a folder that `save_checkpoint` wrote."""
        if self._refusal is not None:
            return
        self._trainer.load(Path(checkpoint) / CHECKPOINT)
        self._epochs = self._trainer.epochs()

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Becomes another trial in the same process, which saves the imports and the loading of the data."""
        for name in ("_trainer", "_epochs"):  # or two trials would be in a GPU's memory; one that was refused has none
            self.__dict__.pop(name, None)
        self._begin(new_config)
        return True
