"""Trainable of a trial for Ray Tune. Only this file of the package imports Ray."""

from __future__ import annotations

import socket
from collections.abc import Collection, Iterator, Mapping
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
    StorageLostError,
)
from groupdir.files.storage import Place, local_copy
from groupdir.files.study_files import CHECKPOINT, EPOCH_REPORT, STAGES
from groupdir.files.write_whole import FULL
from groupdir.node.gpu_share import trainer_on_share
from groupdir.node.probe import code_digest
from groupdir.node.termination import leave_termination_to_driver
from groupdir.training.device_memory import explain_out_of_memory
from groupdir.training.stages import StageFolder
from groupdir.training.trainer import EpochResult, Trainer

NODE_ID = "ray.io/node-id"
"""Label that Ray gives to every node."""


class TrialTrainable(tune.Trainable):
    """Ray trainable of a trial, which trains one epoch per step.

    The mapping `config` of the constructor has these keys:

    - `trial`: number of the trial.
    - `config`: `TrialConfig.to_dict()` of the trial.
    - `code`: digest of the source of groupdir on the driver. Optional.
    - `resume`: checkpoint folder from an earlier driver to resume from, or None.
    - `stages`: mapping of `place` and `marks` of shared first stages, or None.
    - `resources`: resources that the trial requests from a node, by their names in Ray.
    - `refused`: ids of the nodes that must not get the trial. Optional.
    - `attempt`: text of the `groupdir.files.fence.Attempt` of this process. Optional.
    - `marker`: file in the storage that every node must see. Optional.
    """

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """Return the resources that Ray must reserve for the trial."""
        return placement(config["resources"], config.get("refused", ()))

    def setup(self, config: dict[str, Any], dataset: Dataset | None = None) -> None:
        """Build the trial.

        Args:
            config: Mapping as described in the class.
            dataset: Data set that trials share through the object store, or None.
        """
        leave_termination_to_driver()
        self._dataset = dataset
        self._begin(config)

    def _begin(self, config: dict[str, Any]) -> None:
        self._trial = int(config["trial"])
        self._marker: str = config.get("marker", "")
        # `step` raises this error: for an error in `setup`, Ray reports only the text or does not retry the trial.
        self._refusal: GroupdirError | None = self._refused(config)
        if self._refusal is None:
            try:
                self._load(config)
            except DeviceMemoryError as error:
                self._refusal = DeviceMemoryError(str(error))  # a new error: the old traceback keeps the tensors
            except (OSError, DataError) as error:
                self._refusal = self._lost_storage()
                if self._refusal is None:
                    raise error

    def _refused(self, config: dict[str, Any]) -> GroupdirError | None:
        """Return why this node cannot run the trial, or None if it can."""
        if config.get("code", code_digest()) != code_digest():
            return OtherCodeError(
                f"node {socket.gethostname()}: groupdir must have the code of the driver, got code {code_digest()}: if "
                "the code was edited on this machine during the search, resume the search, which then runs the new "
                "code; otherwise update the checkout on that node, restart Ray there, and resume the search"
            )
        try:
            if self._dataset is not None:
                self._dataset.prepare()  # the driver did this already, so a failure is specific to this node
        except DataError as error:
            return NodeError(
                f"node {socket.gethostname()}: the data of the driver must also be on this node, got: {error}: copy "
                "the data there and resume the search, which continues without loss"
            )
        return self._lost_storage()

    def _load(self, config: dict[str, Any]) -> None:
        """Build the trainer, and load the checkpoint of an earlier driver."""
        stages = self._stages(config["stages"], config.get("attempt", "")) if config.get("stages") else None
        self._trainer = self._build(TrialConfig.from_dict(config["config"], f"trial {self._trial}"), stages)
        if config.get("resume"):
            with local_copy(config["resume"]) as folder:
                self._say(self._trainer.resume(folder / CHECKPOINT))
        self._epochs: Iterator[EpochResult] = self._trainer.epochs()

    def _lost_storage(self, why: str = "") -> StorageLostError | None:
        """Return an error if this node has lost the storage, else None.

        Args:
            why: Reason that is known already; by default the marker of the storage is looked for.
        """
        why = why or (Place.at(self._marker).why_lost() if self._marker else "")
        if not why:
            return None
        return StorageLostError(
            f"node {socket.gethostname()}: cannot use the storage of the study: {why}: mount it there again"
        )

    def _build(self, trial: TrialConfig, stages: StageFolder | None) -> Trainer:
        return trainer_on_share(trial, self._dataset, stages, self.gpu_share)

    def _stages(self, shared: dict[str, Any], attempt: str) -> StageFolder:
        """Return the folder of first stages. Without a shared folder, each node has one in Ray's experiment folder."""
        place = Place.at(shared["place"])
        if place.path is not None:
            return StageFolder(place.path, tuple(shared["marks"]), attempt=attempt)
        return StageFolder(Path(self.logdir).parent.parent / STAGES, tuple(shared["marks"]), place, attempt)

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
        try:
            with explain_out_of_memory(trainer.device, min(1.0, self.gpu_share) or 1.0):
                result = next(self._epochs, None)
        except (OSError, DataError) as error:  # such as of a shared stage
            if lost := self._lost_storage():
                raise lost from error
            raise
        if result is None:  # the checkpoint was of the last epoch, whose row exists already
            result = EpochResult.of(trainer, trainer.evaluate("val"), 0.0)
        report = {name: value for name, value in vars(result).items() if name in EPOCH_REPORT}
        row = {"trial": self._trial, "seed": trainer.config.seed, "epoch": result.epoch, "done": result.last}
        return row | report | {name: float(value) for name, value in result.metrics.items()}

    def save(self, checkpoint_dir: str | None = None) -> Any:
        """Write a checkpoint and copy it to the storage that all nodes read.

        Raises:
            DiskFullError: If the disk of this node or of the storage is full.
            StorageLostError: If this node cannot write to the storage for another reason.
        """
        if lost := self._lost_storage():
            raise lost
        try:
            return super().save(checkpoint_dir)
        except (OSError, FileWriteError) as error:
            full = error.disk_full if isinstance(error, FileWriteError) else error.errno in FULL
            if full:
                raise DiskFullError(
                    f"node {socket.gethostname()}: there is no space for a checkpoint: {error}: free disk space and "
                    "resume the search, which continues without loss"
                ) from error
            raise self._lost_storage(str(error).splitlines()[0]) or error from error
        except RuntimeError as error:  # Ray does not see its own marker
            raise self._lost_storage() or error from error

    def restore(self, checkpoint_path: Any) -> None:
        """Resume from a checkpoint of this run. If this node has lost the storage, the next `step` says so.

        Ray counts an error of this method as a failure of the trial, and some errors make it forget the checkpoint.
        """
        self._refusal = self._refusal or self._lost_storage()
        if self._refusal is None:
            try:
                super().restore(checkpoint_path)
            except (OSError, ValueError, DataError):
                self._refusal = self._lost_storage()
                if self._refusal is None:
                    raise

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


def placement(resources: Mapping[str, float], refused: Collection[str] = ()) -> tune.PlacementGroupFactory:
    """Return Ray's request of a trial.

    Args:
        resources: Resources of the trial, by their names in Ray.
        refused: Ids of the nodes that must not get the trial.
    """
    if not refused:
        return tune.PlacementGroupFactory([dict(resources)])
    selector = {NODE_ID: f"!in({','.join(sorted(refused))})"}
    return tune.PlacementGroupFactory([dict(resources)], bundle_label_selector=[selector])
