"""The Slurm script as `launch slurm-script` writes it, submitted to Debian's Slurm on two hosts."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from groupdir.study.store import Store
from tests.cluster.hosts import CHECKOUT, SHARED, Hosts, missing
from tests.cluster.plain_ray import PARTS
from tests.cluster.site import state_of, training, wait_for
from tests.cluster.slurm_site import idle, job_state, logs, missing_slurm, start_slurm, submit

WHY = missing() or missing_slurm()
pytestmark = [pytest.mark.hosts, pytest.mark.timeout(900), pytest.mark.skipif(WHY is not None, reason=str(WHY))]
HOSTS = ("node1", "node2")
SPACE = """
name: small
data: {name: digits}
encoder: {name: convnet}
method: {name: group_dir, recipe: joint, groups: {choice: [2, 5, 10]}, beta: {log_uniform: [0.25, 4]}}
train: {epochs: 10}
search:
  trials: 6
  checkpoint_every: 2
  scheduler: {name: pareto_asha, grace_period: 4, reduction_factor: 2}
  resources: {cpu: 1, gpu: 0}
"""


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    """Two nodes, with the checkout in a folder that both see."""
    with Hosts(HOSTS, tmp_path_factory.mktemp("slurm")) as made:
        checkout = made.shared / "groupdir"
        for part in PARTS:
            shutil.copytree(CHECKOUT / part, checkout / part, ignore=shutil.ignore_patterns("__pycache__"))
        (checkout / "search_spaces/small.yaml").write_text(SPACE)
        start_slurm(made)
        wait_for("both nodes take jobs", lambda: idle(made) == 2, 60, logs(made))
        yield made


def test_a_search_on_both_nodes_is_cancelled_and_requeued_and_ends_whole(hosts: Hosts) -> None:
    checkout, there = hosts.shared / "groupdir", SHARED / "groupdir"
    words = [sys.executable, "-m", "launch", "slurm-script", "search_spaces/small.yaml", "--nodes", "2"]
    script = hosts.run("node1", [*words, "--cpus-per-node", "1", "--time", "10"], cwd=there).stdout
    (checkout / "small.sbatch").write_text(script)
    job = submit(hosts, "small.sbatch", there)
    folder, log = checkout / "results/small", checkout / f"slurm-{job}.out"
    told = [log, *logs(hosts)]
    both = lambda: all(training(hosts, name) for name in HOSTS)  # noqa: E731
    wait_for("trials on both nodes", both, 240, told)
    saved = lambda: any(trial.checkpoint_epoch for trial in state_of(folder).trials.values())  # noqa: E731
    wait_for("a checkpoint", saved, 60, told)
    hosts.run("node1", ["scancel", str(job)])
    wait_for("the job has ended", lambda: job_state(hosts, job) == "CANCELLED" and idle(hosts) == 2, 90, told)
    for name in HOSTS:
        wait_for(f"no Ray is left on {name}", lambda name=name: not rays(hosts, name), 30, told)
    before = rows(folder)
    hosts.run("node1", ["scontrol", "requeue", str(job)])
    wait_for("the job has ended again", lambda: job_state(hosts, job) in ("COMPLETED", "FAILED"), 400, told)
    assert job_state(hosts, job) == "COMPLETED", log.read_text()
    assert "exit code of the search: 0" in log.read_text()
    after = rows(folder)
    assert after[: len(before)] == before, "a row of before is lost or changed"
    check_whole(folder)
    with contextlib.closing(Store.open(folder / "study.sqlite", readonly=True)) as store:
        actions = [event.payload["action"] for event in store.events() if event.kind == "driver"]
    assert actions[0] == "start"
    assert "resume" in actions
    assert not list(checkout.glob(".slurm-*")), "what the script was told is removed"
    for name in HOSTS:
        assert not rays(hosts, name)
        assert not list(hosts.folder(name, "tmp").glob("ray-*")), "Ray's files are removed"


def rays(hosts: Hosts, name: str) -> list[str]:
    """The processes of Ray on a host."""
    return [line for line in hosts.processes(name) if "raylet" in line or "gcs_server" in line or "ray::" in line]


def rows(folder: Path) -> list[tuple[int | None, int | None, object]]:
    """The epochs of a study, in the order of their arrival."""
    with contextlib.closing(Store.open(folder / "study.sqlite", readonly=True)) as store:
        return [(event.trial, event.epoch, event.payload) for event in store.events() if event.kind == "epoch"]


def check_whole(folder: Path) -> None:
    """Every trial has ended, and no epoch is missing or there twice."""
    state = state_of(folder)
    assert len(state.trials) == 6
    for trial in state.trials.values():
        assert trial.status in {"finished", "stopped"}, f"trial {trial.number}: {trial.status}: {trial.message}"
        assert [row["epoch"] for row in trial.rows] == list(range(1, trial.epoch + 1)), f"trial {trial.number}"
    keys = [(trial, epoch) for trial, epoch, _ in rows(folder)]
    assert len(keys) == len(set(keys))
