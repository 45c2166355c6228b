"""ParetoASHA as a scheduler of anybody's Tuner, without a study of ours."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray import tune

from launch.schedulers import ParetoASHA

EPOCHS, TRIALS = 9, 12
OBJECTIVES = {"a": "min", "b": "min"}


class Counting(tune.Trainable):
    """Counts its epochs; its errors are its parameters from the first on."""

    def setup(self, config: dict[str, Any]) -> None:
        self.epoch = 0

    def step(self) -> dict[str, Any]:
        self.epoch += 1
        return {
            "epoch": self.epoch,
            "a": self.config["x"],
            "b": abs(self.config["x"] - 3),
            "done": self.epoch == EPOCHS,
        }

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        (Path(checkpoint_dir) / "epoch").write_text(str(self.epoch))

    def load_checkpoint(self, checkpoint: Any) -> None:
        self.epoch = int((Path(checkpoint) / "epoch").read_text())

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.epoch = 0
        return True


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    temp = tempfile.mkdtemp(prefix="gd-", dir="/tmp")
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=100 * 1024**2,
        _temp_dir=temp,
    )
    yield
    ray.shutdown()
    shutil.rmtree(temp, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", ["stop", "promote"])
def test_it_runs_to_the_end(cluster: None, tmp_path: Path, mode: Any) -> None:
    scheduler = ParetoASHA(OBJECTIVES, grace_period=1, reduction_factor=3, max_t=EPOCHS, mode=mode)
    tuner = tune.Tuner(
        tune.with_resources(Counting, {"cpu": 1}),
        param_space={"x": tune.grid_search([float(index) for index in range(TRIALS)])},
        tune_config=tune.TuneConfig(scheduler=scheduler, reuse_actors=True),
        run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
    )
    results = tuner.fit()
    epochs = {result.config["x"]: result.metrics["epoch"] for result in results}  # type: ignore[index]
    assert not results.errors
    assert len(epochs) == TRIALS
    front = {0.0, 1.0, 2.0, 3.0}
    assert max(epochs.values()) == EPOCHS, "somebody is trained to the end"
    assert {x for x, epoch in epochs.items() if epoch == EPOCHS} <= front
    assert all(epochs[float(x)] == 1 for x in range(7, TRIALS)), "far from the front: stopped at the first rung"


def forgetful(config: dict[str, Any]) -> None:
    """A trainable that saves nothing."""
    for epoch in range(1, EPOCHS + 1):
        tune.report({"epoch": epoch, "a": config["x"], "b": -config["x"]})


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_promoted_trial_without_a_checkpoint_is_an_error(cluster: None, tmp_path: Path) -> None:
    """It would begin again at its first epoch and pause there: all trials ended at epoch 1, and nothing said why."""
    scheduler = ParetoASHA(OBJECTIVES, grace_period=1, reduction_factor=3, max_t=EPOCHS, mode="promote")
    tuner = tune.Tuner(
        tune.with_resources(forgetful, {"cpu": 1}),
        param_space={"x": tune.grid_search([float(index) for index in range(8)])},
        tune_config=tune.TuneConfig(scheduler=scheduler),
        run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
    )
    with pytest.raises(Exception, match="its trainable wrote no checkpoint to continue from"):
        tuner.fit()
