"""A trial that does not fit into its part of a GPU is tried once more with a whole one."""

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

from groupdir.errors import DeviceMemoryError
from groupdir.space import StudyConfig
from groupdir.trainable import TrialTrainable
from launch.director import Director
from launch.engine import Interrupt, Screen, run_trials
from launch.schedulers import SCHEDULERS
from launch.study import Study

CONTENT: dict[str, Any] = {
    "name": "packed",
    "data": {"name": "digits", "train": 128},
    "encoder": {"name": "convnet"},
    "method": {"name": "vanilla"},
    "optim": {"lr": {"log_uniform": [0.0005, 0.01]}},
    "train": {"epochs": 2, "device": "cpu"},
    "search": {"trials": 4, "resources": {"cpu": 0.5, "gpu": 0.5}, "objectives": {"val_mae_all": "min"}},
}


class Large(TrialTrainable):
    """Trial 1 takes more than half a card, and trial 2 more than a whole one; both say so in their second epoch."""

    def step(self) -> dict[str, Any]:
        least = {1: 1.0, 2: 2.0}.get(self._trial, 0.0)
        if self._trainer.epoch == 1 and self.gpu_share < least:
            raise DeviceMemoryError(f"the trial must fit into {self.gpu_share:g} of a card")
        return super().step()


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A node that says it has a GPU."""
    monkeypatch.setenv("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
    monkeypatch.setenv("RAY_AIR_NEW_OUTPUT", "0")
    temp = tempfile.mkdtemp(prefix="gd-", dir="/tmp")
    ray.init(
        num_cpus=2,
        num_gpus=1,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=100 * 1024**2,
        _temp_dir=temp,
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2])])}},
    )
    yield
    ray.shutdown()
    shutil.rmtree(temp, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_what_is_too_large_for_a_part_of_a_card_gets_a_whole_one(cluster: None, results: Path) -> None:
    study = Study.create(results / "packed", StudyConfig.from_dict(CONTENT))
    said: list[str] = []
    director = Director(study, SCHEDULERS["none"].from_config(study.config.search), "val_mae_all")
    run_trials(study, director, None, Interrupt(None), Screen(lambda: None, said.append), Large)
    trials = study.state.trials
    assert {number: trial.status for number, trial in trials.items()} == {
        0: "finished",
        1: "finished",
        2: "failed",
        3: "finished",
    }
    starts = [event.trial for event in study.events() if event.kind == "started"]
    assert starts.count(1) == 2, (starts, said)
    assert "must fit into 1 of a card" in trials[2].message
    assert [text.partition(":")[0] for text in said] == ["trial 1", "trial 2", "trial 2"]
    assert all("of a card; it is tried again on a whole GPU" in text for text in said)
    study.close()
