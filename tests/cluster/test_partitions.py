"""A worker loses the shared folder, or its network: its trial moves, nothing is lost, and nobody waits for it."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from groupdir.study.store import Store
from tests.cluster.hosts import SHARED, Hosts, home, missing
from tests.cluster.plain_ray import PORT, PROGRAMS, give_checkouts, own, start_ray
from tests.cluster.site import IMPATIENT, state_of, training, wait_for

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.timeout(900),
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]
WORKERS = ("w1", "w2")
SPACE = f"""
name: NAME
data: {{name: digits}}
encoder: {{name: convnet}}
method: METHOD
train: {{epochs: EPOCHS}}
search:
  trials: 3
  checkpoint_every: 1
  max_failures: 0
  seeds: shared
  storage_path: {SHARED}/groupdir
  scheduler: {{name: none}}
  resources: {{cpu: 1, gpu: 0}}
"""
JOINT = "{name: group_dir, recipe: joint, groups: {choice: [2, 5, 10]}, beta: {log_uniform: [0.25, 4]}}"
STAGED = "{name: group_dir, recipe: two_stage, encoder_lr: {log_uniform: [0.01, 1.0]}, pretrain: {epochs: PRE}}"


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    """A head without CPUs for trials, and two workers with one each."""
    with Hosts(["head", *WORKERS], tmp_path / "hosts") as made:
        give_checkouts(made)
        env = {name: str(value) for name, value in IMPATIENT.items()}
        for name in made.address:
            start_ray(made, name, "head", cpus=int(name != "head"), env=env)
        yield made


class Search:
    """A search on the head, and what it says."""

    def __init__(self, hosts: Hosts, tmp_path: Path, name: str, method: str, epochs: int) -> None:
        text = SPACE.replace("NAME", name).replace("METHOD", method).replace("EPOCHS", str(epochs))
        hosts.home("head", f"groupdir/search_spaces/{name}.yaml").write_text(text)
        self.log, self.folder = tmp_path / f"{name}.log", hosts.home("head", "groupdir/results", name)
        words = [str(PROGRAMS / "python"), "-m", "launch", "search", f"search_spaces/{name}.yaml"]
        env = own({"RAY_ADDRESS": f"{hosts.address['head']}:{PORT}"})
        self.process = hosts.begin("head", words, self.log, cwd=home() / "groupdir", env=env)

    def wait(self, what: str, holds: object, seconds: float) -> float:
        assert callable(holds)
        return wait_for(what, lambda: holds() or self.process.poll() not in (None, 0), seconds, [self.log])

    def ends_whole(self, epochs: int) -> str:
        """Every trial has finished, with each epoch once, although none may be tried again."""
        self.wait("the search ends", lambda: self.process.poll() is not None, 600)
        text = self.log.read_text()
        assert self.process.returncode == 0, text
        with contextlib.closing(Store.open(self.folder / "study.sqlite", readonly=True)) as store:
            keys = [(event.trial, event.epoch) for event in store.events() if event.kind == "epoch"]
        assert len(keys) == len(set(keys))
        trials = state_of(self.folder).trials.values()
        assert [(trial.status, trial.epoch) for trial in trials] == [("finished", epochs)] * 3, text
        return text


def test_a_worker_loses_the_shared_folder_for_a_while(hosts: Hosts, tmp_path: Path) -> None:
    search = Search(hosts, tmp_path, "lost", JOINT, epochs=24)
    saved = lambda: [t for t in state_of(search.folder).trials.values() if t.checkpoint_epoch >= 2]  # noqa: E731
    search.wait("both workers have checkpoints", lambda: len(saved()) >= 2 and training(hosts, "w1"), 400)
    hosts.unmount("w1")
    search.wait("the worker is refused", lambda: "gets no trial until" in search.log.read_text(), 60)
    time.sleep(10)
    hosts.unmount("w1", off=False)
    search.wait("the worker is taken back", lambda: "again and gets trials" in search.log.read_text(), 120)
    text = search.ends_whole(24)
    address = re.escape(hosts.address["w1"])
    assert re.search(r"node w1: cannot use the storage of the study: .*is not there", text), text
    assert re.search(rf"trial \d leaves w1 \({address}\), which cannot use the storage", text), text


def test_nobody_waits_for_the_stage_of_a_worker_that_is_cut_off(hosts: Hosts, tmp_path: Path) -> None:
    """It still sees the folder, and gives signs of life there: for 107 s nobody else trained the stage."""
    search = Search(hosts, tmp_path, "staged", STAGED.replace("PRE", "200"), epochs=2)
    stages = hosts.shared / "groupdir/staged/stages"
    owners = lambda: [json.loads(file.read_text()) for file in stages.glob("*/owner.json")]  # noqa: E731
    both = lambda: owners() and len(training(hosts, "w1") + training(hosts, "w2")) == 2  # noqa: E731
    search.wait("a worker trains the stage, and another waits", both, 400)
    (owner,) = {claim["host"] for claim in owners()}
    time.sleep(5)
    hosts.cut(owner)
    begun = time.monotonic()
    others = lambda: [claim for claim in owners() if claim["host"] != owner]  # noqa: E731
    took = search.wait("the other worker takes the stage over", others, 70)
    assert training(hosts, owner), "the one that is cut off lives, and trains on"
    time.sleep(max(0.0, 75 - (time.monotonic() - begun)))
    hosts.cut(owner, off=False)
    print(f"the claim fell after {took:.0f} s of 75")
    search.ends_whole(202)
    assert re.search(r"trial \d lost its node \S+ \(\S+\); it continues on another node", search.log.read_text())
