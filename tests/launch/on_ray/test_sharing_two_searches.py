"""Two real searches on one cluster: the second begins while the first still has trials to start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ray.cluster_utils import Cluster

from groupdir.study.read import event_log
from groupdir.study.state import replay
from tests.checkout import ROOT
from tests.launch.on_ray.conftest import MIB
from tests.launch.on_ray.test_backend_lost_nodes import CONTENT


def begin(folder: Path, name: str, trials: int, cluster: Cluster) -> subprocess.Popen[str]:
    content = {**CONTENT, "name": name, "train": {"epochs": 30, "device": "cpu"}}
    content["search"] = {**CONTENT["search"], "trials": trials, "storage_path": str(folder / "storage")}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    words = [sys.executable, "-m", "launch", "search", str(folder / f"{name}.yaml"), "--skip-doctor"]
    env = {**os.environ, "RAY_ADDRESS": cluster.address}
    return subprocess.Popen(
        [*words, "--out", str(folder / name)], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def starts(folder: Path) -> list[float]:
    """When the trials of a study began."""
    with event_log(folder) as (_, store):
        events = list(store.events())
        assert {trial.status for trial in replay(events).trials.values()} <= {"finished", "stopped"}
    return [event.time for event in events if event.kind == "started"]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_second_search_gets_a_slot_while_the_first_has_trials_left(cluster: Cluster, results: Path) -> None:
    cluster.add_node(num_cpus=2, object_store_memory=80 * MIB)
    first, second = (begin(results, name, trials, cluster) for name, trials in (("first", 12), ("second", 4)))
    said = [process.communicate(timeout=550)[0] for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], "\n".join(said)
    assert "the cluster is shared with" in "".join(said)
    one, two = starts(results / "first"), starts(results / "second")
    assert min(two) < max(one), "it waited until the first had no trial left"
    assert min(one) < max(two)
