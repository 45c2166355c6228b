"""A node that dies costs no trial a try; one whose disk is full ends the search; neither loses anything."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ray.cluster_utils import Cluster

from groupdir.config.space import StudyConfig
from groupdir.errors import DiskFullError
from groupdir.trainable import TrialTrainable
from launch.control.study_loop import StudyLoop
from launch.interrupt import Interrupt
from launch.on_ray.backend import Screen, run_trials
from launch.schedulers.none import NoStopping
from launch.study.study import Study
from tests.launch.on_ray.conftest import MIB

CONTENT: dict[str, Any] = {
    "name": "nodes",
    "data": {"name": "digits", "train": 128},
    "encoder": {"name": "convnet"},
    "method": {"name": "vanilla"},
    "optim": {"lr": {"log_uniform": [0.0005, 0.01]}},
    "train": {"epochs": 8, "device": "cpu"},
    "search": {
        "trials": 3,
        "resources": {"cpu": 1, "gpu": 0},
        "objectives": {"val_mae_all": "min"},
        "max_failures": 0,
        "checkpoint_every": 1,
    },
}
MARK = "GROUPDIR_TEST_FULL"  # names a file: while it is there, trial 1 finds the disk full


class Slow(TrialTrainable):
    """An epoch takes as long as a node does to be missed."""

    def step(self) -> dict[str, Any]:
        time.sleep(0.7)
        return super().step()


class Full(TrialTrainable):
    """Trial 1 finds no room for its checkpoints, as long as the mark is there."""

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        if self._trial == 1 and Path(os.environ[MARK]).exists():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().save_checkpoint(checkpoint_dir)


def run(study: Study, screen: Screen, trainable: type[TrialTrainable]) -> None:
    loop = StudyLoop(study, NoStopping(), "val_mae_all")
    run_trials(study, loop, None, Interrupt(None), screen, trainable)


def rows(study: Study) -> dict[int, list[tuple[int, float]]]:
    """Each trial's epochs and errors."""
    trials = study.state.trials.values()
    return {trial.number: [(row["epoch"], row["val_mae_all"]) for row in trial.rows] for trial in trials}


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_node_dies_and_another_comes_while_trials_may_not_fail(
    cluster: Cluster, results: Path, expected: Callable[..., dict[int, list[tuple[int, float]]]]
) -> None:
    first = cluster.add_node(num_cpus=1, object_store_memory=80 * MIB)
    study = Study.create(results / "nodes", StudyConfig.from_dict(CONTENT))
    done: list[str] = []

    def each_moment() -> None:
        if not done and study.state.epochs >= 3:
            done.append("lost")
            cluster.add_node(num_cpus=2, object_store_memory=80 * MIB)
            cluster.remove_node(first, allow_graceful=False)

    said: list[str] = []
    run(study, Screen(each_moment, said.append), Slow)
    assert done
    assert [trial.status for trial in study.state.trials.values()] == ["finished"] * 3, said
    starts = [event.trial for event in study.events() if event.kind == "started"]
    assert starts.count(0) == 2, "it was on the node"
    assert _at_once(study) == 2, "the node that came takes two, though there was room for one when the search began"
    assert rows(study) == expected(study)
    study.close()


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_full_disk_ends_the_search_which_a_resume_goes_on_with(
    cluster: Cluster,
    results: Path,
    expected: Callable[..., dict[int, list[tuple[int, float]]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mark = results / "full"
    mark.touch()
    monkeypatch.setenv(MARK, str(mark))
    cluster.add_node(num_cpus=2, object_store_memory=80 * MIB)
    study = Study.create(results / "nodes", StudyConfig.from_dict(CONTENT))
    with pytest.raises(DiskFullError, match=r"node \S+: there is no space for a checkpoint: .*No space left"):
        run(study, Screen(lambda: None, lambda text: None), Full)
    assert "failed" not in {trial.status for trial in study.state.trials.values()}
    mark.unlink()
    run(study, Screen(lambda: None, lambda text: None), Full)
    assert [trial.status for trial in study.state.trials.values()] == ["finished"] * 3
    assert rows(study) == expected(study)
    study.close()


@pytest.fixture
def expected() -> Callable[[Study], dict[int, list[tuple[int, float]]]]:
    """What the trials of a study report where nothing dies."""

    def train(study: Study) -> dict[int, list[tuple[int, float]]]:
        found = {}
        for trial in study.state.trials.values():
            trainable = TrialTrainable({"trial": trial.number, "config": dict(trial.config)})
            epochs = [trainable.step() for _ in range(8)]
            found[trial.number] = [(row["epoch"], row["val_mae_all"]) for row in epochs]
        return found

    return train


def _at_once(study: Study) -> int:
    """The most trials that ran at one time."""
    running, most = set[int](), 0
    for event in study.events():
        assert event.trial is not None
        if event.kind == "started":
            running.add(event.trial)
        elif event.kind in ("finished", "stopped", "failed"):
            running.discard(event.trial)
        most = max(most, len(running))
    return most
