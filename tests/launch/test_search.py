"""A real search with Ray: killed at a random moment and resumed, nothing is lost and nothing is there twice."""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from groupdir.records import read_parquet
from launch.state import replay
from launch.store import Store

SPACE = """
name: tiny
data: {name: digits}
encoder: {name: convnet}
method: {name: group_dir, recipe: joint, groups: {choice: [2, 5, 10]}, beta: {log_uniform: [0.25, 4]}}
train: {epochs: 6}
search:
  trials: 6
  concurrency: 2
  checkpoint_every: 2
  scheduler: {name: asha, grace_period: 2, reduction_factor: 2}
  resources: {cpu: 0.5, gpu: 0}
  ablations: {vanilla: {method: {name: vanilla}}}
  ablation_seeds: 1
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "launch", *arguments]


def rows_in(store: Path) -> list[tuple[object, ...]]:
    if not store.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        return connection.execute("SELECT * FROM events WHERE kind = 'epoch' ORDER BY seq").fetchall()


def descendants(pid: int) -> set[int]:
    """Processes that a process of ours has started, and theirs."""
    table = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in table.splitlines()]
    found, new = set[int](), {pid}
    while new:
        new = {child for child, parent in pairs if parent in new} - found
        found |= new
    return found


def end(pids: set[int]) -> None:
    """Ends what a killed driver left, after the time that Ray takes to do it by itself."""
    deadline = time.monotonic() + 20
    while (pids := {pid for pid in pids if Path(f"/proc/{pid}").exists()}) and time.monotonic() < deadline:
        time.sleep(0.5)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_killed_and_resumed_nothing_is_lost_and_nothing_twice(results: Path, root: Path) -> None:
    space, folder = results / "tiny.yaml", results / "tiny"
    space.write_text(SPACE, encoding="utf-8")
    kill_after = random.randint(2, 14)
    print(f"killed after {kill_after} rows")
    driver = subprocess.Popen(command("search", str(space), "--out", str(folder)), cwd=root, start_new_session=True)
    while len(before := rows_in(folder / "study.sqlite")) < kill_after:
        assert driver.poll() is None, "the search ended before it could be killed"
        time.sleep(0.05)
    children = descendants(driver.pid)
    driver.kill()
    driver.wait()
    end(children)
    before = rows_in(folder / "study.sqlite")

    refused = subprocess.run(
        command("search", str(space), "--out", str(folder)), cwd=root, capture_output=True, text=True, check=False
    )
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    again = subprocess.run(command("resume", str(folder)), cwd=root, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"python -m analysis select {folder} --shot few" in again.stdout

    after = rows_in(folder / "study.sqlite")
    assert after[: len(before)] == before, "an acknowledged row is lost or changed"
    keys = [row[3:6] for row in after]
    assert len(set(keys)) == len(keys), "a row is there twice"
    state = replay(Store.open(folder / "study.sqlite", readonly=True).events())
    assert len(state.of("search")) == 6
    assert len(state.of("ablation")) == 2
    for trial in state.trials.values():
        assert trial.status in {"finished", "stopped"}, trial.message
        assert [row["epoch"] for row in trial.rows] == list(range(1, trial.epoch + 1)), "an epoch is missing"
        assert (trial.epoch == 6) == (trial.status == "finished")
        assert trial.told_to_stop == (trial.status == "stopped")
        kept = folder / "checkpoints" / f"{trial.number:04d}" / "trial.pt"
        assert kept.is_file() == (trial.status == "finished")
    assert not list((folder / "ray").rglob("trial.pt")), "checkpoints of losers stay on the disk"
    table, footer = read_parquet(folder / "epochs.parquet")
    assert table.num_rows == len(after)
    assert set(footer["configs"]) == {str(number) for number in state.trials}


def test_help_and_mistakes_are_short(root: Path, tmp_path: Path) -> None:
    space = tmp_path / "wrong.yaml"
    space.write_text(SPACE.replace("epochs: 6", "epoch: 6"), encoding="utf-8")
    run = subprocess.run(command("search", str(space)), cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "wrong.yaml:6: train.epoch" in run.stderr
    assert "Traceback" not in run.stderr
    run = subprocess.run(command("resume", str(tmp_path)), cwd=root, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr.count("\n")) == (2, 1)
