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
import torch

from groupdir.config.space import StudyConfig
from groupdir.config.trial import TrialConfig
from groupdir.errors import DeviceMemoryError
from groupdir.node.gpu_share import trainer_on_share
from groupdir.trainable import TrialTrainable
from groupdir.training.stages import StageFolder
from groupdir.training.trainer import Trainer
from launch.control.study_loop import StudyLoop
from launch.interrupt import Interrupt
from launch.on_ray.backend import Screen, run_trials
from launch.schedulers.none import NoStopping
from launch.study.study import Study
from tests.checkout import ROOT

CONTENT: dict[str, Any] = {
    "name": "packed",
    "data": {"name": "digits", "train": 128},
    "encoder": {"name": "convnet"},
    "method": {"name": "vanilla"},
    "optim": {"lr": {"log_uniform": [0.0005, 0.01]}},
    "train": {"epochs": 2, "device": "cpu"},
    "search": {"trials": 7, "resources": {"cpu": 0.5, "gpu": 0.5}, "objectives": {"val_mae_all": "min"}},
}


class Large(TrialTrainable):
    """Trials 1, 3 and 5 take more than half a card, and trial 2 more than a whole one.

    Trials 2 and 3 say so in their second epoch, the others when they are built: 1 in a new process, 5 in one that had
    another trial.
    """

    def _build(self, trial: TrialConfig, stages: StageFolder | None) -> Trainer:
        self._must_fit((1, 5))
        return super()._build(trial, stages)

    def step(self) -> dict[str, Any]:
        if self._refusal is None and self._trainer.epoch == 1:
            self._must_fit((2, 3))
        return super().step()

    def _must_fit(self, trials: tuple[int, ...]) -> None:
        if self._trial in trials and self.gpu_share < (2.0 if self._trial == 2 else 1.0):
            raise DeviceMemoryError(f"the trial must fit into {self.gpu_share:g} of a card")


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
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join([str(ROOT)])}},
    )
    yield
    ray.shutdown()
    shutil.rmtree(temp, ignore_errors=True)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_what_is_too_large_for_a_part_of_a_card_gets_a_whole_one(cluster: None, results: Path) -> None:
    study = Study.create(results / "packed", StudyConfig.from_dict(CONTENT))
    said: list[str] = []
    loop = StudyLoop(study, NoStopping(), "val_mae_all")
    run_trials(study, loop, None, Interrupt(None), Screen(lambda: None, said.append), Large)
    trials = study.state.trials
    ends = {number: trial.status for number, trial in trials.items()}
    assert ends == dict.fromkeys(range(7), "finished") | {2: "failed"}, (trials[1].message, said)
    starts = [event.trial for event in study.events() if event.kind == "started"]
    assert [starts.count(number) for number in range(7)] == [1, 2, 3, 2, 1, 2, 1], said
    assert "must fit into 1 of a card" in trials[2].message
    assert sorted(text.partition(":")[0] for text in said) == [f"trial {number}" for number in (1, 2, 2, 3, 5)]
    whole = [
        text for text in said if text.endswith("into 0.5 of a card; it is retried on a whole GPU when one is free")
    ]
    again = [text for text in said if text.endswith("into 1 of a card; it is retried")]
    assert (len(whole), len(again)) == (4, 1), said
    study.close()


def test_a_trial_that_was_given_no_gpu_leaves_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    trial = {name: CONTENT[name] for name in ("data", "encoder", "method")}
    assert trainer_on_share(TrialConfig.from_dict(trial), None, None, 0.0).device.type == "cpu"
