"""A spot machine is taken back: its trials leave it with a checkpoint, before it goes, and no try is spent on that."""

from __future__ import annotations

import contextlib
import math
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from groupdir.config.trial import TrialConfig
from groupdir.study.events import Event
from groupdir.study.state import TrialState
from groupdir.study.store import Store
from groupdir.training.trainer import Trainer
from tests.cluster.hosts import CHECKOUT, SHARED, Hosts, home, missing
from tests.cluster.plain_ray import PORT, PROGRAMS, give_checkouts, own, start_ray
from tests.cluster.site import state_of, training, wait_for

pytestmark = [
    pytest.mark.hosts,
    pytest.mark.timeout(420),
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]
# The notice takes some ten seconds to reach the trial, which must not have ended by then; more cores are faster.
EPOCHS = 40 if (os.cpu_count() or 1) <= 2 else 200
TRIALS = 4
# No checkpoint but that of a move and the last one, and no second try.
SPACE = f"""
name: small
data: {{name: digits}}
encoder: {{name: convnet}}
method: {{name: group_dir, recipe: joint, groups: {{choice: [2, 5, 10]}}, beta: {{log_uniform: [0.25, 4]}}}}
train: {{epochs: {EPOCHS}}}
search:
  trials: {TRIALS}
  concurrency: 3
  checkpoint_every: 1000
  max_failures: 0
  storage_path: {SHARED}/groupdir
  scheduler: {{name: none}}
  resources: {{cpu: 1, gpu: 0}}
"""
# EC2's metadata, of a machine that is taken back two minutes after a file is there.
EC2 = """
import http.server, pathlib, sys, time
class Answer(http.server.BaseHTTPRequestHandler):
    def do_PUT(self):
        self.answer(200, "token")
    def do_GET(self):
        told = self.path.endswith("/spot/instance-action") and pathlib.Path(sys.argv[1]).exists()
        then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 120))
        self.answer(200, '{"action": "terminate", "time": "%s"}' % then) if told else self.answer(404, "")
    def answer(self, code, text):
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())
http.server.HTTPServer(("127.0.0.1", 8169), Answer).serve_forever()
"""


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    """A head and two workers, one of which is a spot machine."""
    with Hosts(["head", "w1", "w2"], tmp_path / "hosts") as made:
        give_checkouts(made)
        made.home("head", "groupdir/search_spaces/small.yaml").write_text(SPACE)
        for name in made.address:
            start_ray(made, name, "head")
        yield made


def test_trials_leave_a_spot_machine_before_it_goes(hosts: Hosts, tmp_path: Path) -> None:
    python, log, told = str(PROGRAMS / "python"), tmp_path / "search.log", hosts.home("w1", "spot.log")
    notice = SHARED / "notice"
    hosts.begin("w1", [python, "-c", EC2, str(notice)], tmp_path / "ec2.log")
    begin_watcher(hosts)
    words = [python, "-m", "launch", "search", "search_spaces/small.yaml"]
    env = own({"RAY_ADDRESS": f"{hosts.address['head']}:{PORT}"})
    search = hosts.begin("head", words, log, cwd=home() / "groupdir", env=env)
    folder, said = hosts.home("head", "groupdir/results/small"), [log, told]
    under_way = lambda: [t for t in state_of(folder).trials.values() if t.epoch >= 3]  # noqa: E731
    wait_for("three trials are under way", lambda: len(under_way()) == 3 and training(hosts, "w1"), 120, said)
    (hosts.shared / notice.name).touch()
    wait_for("the trial leaves the machine", lambda: not training(hosts, "w1"), 60, said)
    assert watchers(hosts), "it must watch until Ray ends"
    left = lambda: [line for line in hosts.processes("w1") if "/raylet" in line] + watchers(hosts)  # noqa: E731
    wait_for("Ray ends there, and the watcher with it", lambda: not left(), 60, said)
    assert "EC2 reclaims this machine" in told.read_text()
    hosts.kill("w1")
    wait_for("the search ends", lambda: search.poll() is not None, 240, said)
    assert search.returncode == 0, log.read_text()
    check_whole(folder)


def begin_watcher(hosts: Hosts) -> None:
    """Starts it as `ray up` does: the line of cluster.yaml, by SSH from the head, in a shell that ends then."""
    line = yaml.safe_load((CHECKOUT / "cluster.yaml").read_text(encoding="utf-8"))["worker_start_ray_commands"][-1]
    environment = own({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:8169"})
    exports = "".join(f"export {name}={value}\n" for name, value in environment.items())
    hosts.home("w1", ".bashrc").write_text(exports)
    program = hosts.home("w1", ".groupdir/venv/bin/python")
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {PROGRAMS / "python"} "$@"\n')
    program.chmod(0o755)
    shell = shlex.join(["bash", "--login", "-c", "-i", f"true && source ~/.bashrc && ({line})"])
    hosts.run("head", ["ssh", "-tt", "w1", shell])
    wait_for("the machine is watched", lambda: watchers(hosts), 20, [hosts.home("w1", "spot.log")])


def watchers(hosts: Hosts) -> list[str]:
    return [line for line in hosts.processes("w1") if line.endswith("-m launch.cluster.spot")]


def check_whole(folder: Path) -> None:
    """No trial failed, no row is lost or there twice, and what moved is bit for bit what it would have been."""
    with contextlib.closing(Store.open(folder / "study.sqlite", readonly=True)) as store:
        events = list(store.events())
    keys = [(event.trial, event.epoch) for event in events if event.kind == "epoch"]
    assert sorted(keys) == [(trial, epoch) for trial in range(TRIALS) for epoch in range(1, EPOCHS + 1)]
    assert not {event.kind for event in events} & {"failed", "paused", "stopped"}
    trials = state_of(folder).trials
    assert {trial.status for trial in trials.values()} == {"finished"}
    moved = [trial for trial in trials if len(of(events, "started", trial)) == 2]
    assert len(moved) == 1, "the trial of one machine moves, and once"
    left, last = (event.epoch for event in of(events, "checkpoint", moved[0]))
    assert 3 <= (left or 0) < EPOCHS
    assert last == EPOCHS
    for epoch, (there, expected) in enumerate(zip(trials[moved[0]].rows, alone(trials[moved[0]]), strict=True), 1):
        for name, value in expected.items():
            assert there[name] == value or (math.isnan(there[name]) and math.isnan(value)), f"epoch {epoch}: {name}"
    print(f"trial {moved[0]} moved after epoch {left}")


def of(events: list[Event], kind: str, trial: int) -> list[Event]:
    return [event for event in events if event.kind == kind and event.trial == trial]


def alone(trial: TrialState) -> list[dict[str, float]]:
    """The metrics of a trial that is trained here, without Ray and without a break."""
    trainer = Trainer(TrialConfig.from_dict(dict(trial.config), "trial"))
    return [{name: float(value) for name, value in result.metrics.items()} for result in trainer.epochs()]
