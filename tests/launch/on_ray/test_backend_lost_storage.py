"""A node loses the storage: its trial moves without using up a retry, and where no node has it, all trials wait."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from groupdir.config.space import StudyConfig
from groupdir.errors import StorageLostError
from groupdir.files.study_files import STORAGE_MARKER
from groupdir.trainable import TrialTrainable
from launch.on_ray.backend import Screen
from launch.study.study import Study
from tests.launch.on_ray.conftest import MIB
from tests.launch.on_ray.test_backend_lost_nodes import CONTENT, Slow, run

MARK = "GROUPDIR_TEST_LOST"  # names a file with the id of the node that has lost the storage
Rows = dict[int, list[tuple[int, float]]]


class Blind(Slow):
    """Does not see the storage on the node that the mark names."""

    def _lost_storage(self, why: str = "") -> StorageLostError | None:
        mark = Path(os.environ[MARK])
        if mark.exists() and mark.read_text() == ray.get_runtime_context().get_node_id():
            return super()._lost_storage("it is not mounted")
        return super()._lost_storage(why)


def rows(study: Study) -> Rows:
    trials = study.state.trials.values()
    return {trial.number: [(row["epoch"], row["val_mae_all"]) for row in trial.rows] for trial in trials}


def expected(study: Study) -> Rows:
    """What the trials report where nothing is lost."""
    found = {}
    for trial in study.state.trials.values():
        trainable = TrialTrainable({"trial": trial.number, "config": dict(trial.config)})
        found[trial.number] = [(row["epoch"], row["val_mae_all"]) for row in (trainable.step() for _ in range(8))]
    return found


def watched(study: Study, then: Callable[[], None]) -> Callable[[], None]:
    """Something that happens once, in the middle of the search."""
    done: list[bool] = []

    def each_moment() -> None:
        if not done and study.state.epochs >= 4:
            done.append(True)
            then()

    return each_moment


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_node_loses_the_storage(cluster: Cluster, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark = results / "lost"
    monkeypatch.setenv(MARK, str(mark))
    blind = cluster.add_node(num_cpus=1, object_store_memory=80 * MIB)
    study = Study.create(results / "nodes", StudyConfig.from_dict(CONTENT))
    said: list[str] = []

    def lose() -> None:
        mark.write_text(blind.node_id)
        cluster.add_node(num_cpus=1, object_store_memory=80 * MIB)

    run(study, Screen(watched(study, lose), said.append), Blind)
    text = "\n".join(said)
    assert [trial.status for trial in study.state.trials.values()] == ["finished"] * 3, text
    assert re.search(r"node \S+: cannot use the storage of the study: it is not mounted: .* gets no trial until", text)
    assert re.search(r"trial \d leaves \S+ \(\S+\), which cannot use the storage; it continues on another node", text)
    assert re.search(r"trial \d moved from .* to .* and continues after epoch \d", text), text
    assert rows(study) == expected(study)
    study.close()


@pytest.mark.long
@pytest.mark.timeout(400)
def test_no_node_has_the_storage_for_a_while(cluster: Cluster, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARK, str(results / "never"))
    for _ in range(2):
        cluster.add_node(num_cpus=1, object_store_memory=80 * MIB)
    study = Study.create(results / "nodes", StudyConfig.from_dict(CONTENT))
    marker, hidden = Path(str(study.storage / STORAGE_MARKER)), results / "hidden"
    said: list[str] = []
    back: list[float] = []

    def each_moment() -> None:
        text = "\n".join(said)
        if study.state.epochs >= 4 and not back and not hidden.exists():
            marker.rename(hidden)
        elif "all trials wait" in text and not back:
            back.append(time.monotonic() + 8)
        elif back and time.monotonic() > back[0] and hidden.exists():
            hidden.rename(marker)

    run(study, Screen(each_moment, said.append), Blind)
    text = "\n".join(said)
    assert "no node can use the storage: all trials wait until one can" in text
    assert "can use the storage again and gets trials" in text
    assert [trial.status for trial in study.state.trials.values()] == ["finished"] * 3, text
    assert rows(study) == expected(study)
    study.close()
