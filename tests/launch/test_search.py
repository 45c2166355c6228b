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

from groupdir.files.parquet import read_parquet
from groupdir.study.state import replay
from groupdir.study.store import Store

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


def trains(pid: int) -> bool:
    """Return whether a process lives and may train: agents of Ray outlive their node by a minute, and only listen."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    except OSError:
        return False
    return bool(command) and "Agent" not in command


def end(pids: set[int]) -> None:
    """Ends what a killed driver left, after the time that Ray takes to do it by itself."""
    deadline = time.monotonic() + 20
    while any(map(trains, pids)) and time.monotonic() < deadline:
        time.sleep(0.2)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def run_until(words: list[str], root: Path, store: Path, rows: int) -> subprocess.Popen[str]:
    """A driver, at the moment at which the store holds so many epochs."""
    driver = subprocess.Popen(words, cwd=root, start_new_session=True, stdout=subprocess.PIPE, text=True)
    while len(rows_in(store)) < rows:
        assert driver.poll() is None, "the search ended before it could be interrupted"
        time.sleep(0.05)
    return driver


def kill_at(words: list[str], root: Path, store: Path, rows: int) -> list[tuple[object, ...]]:
    """Kills a driver when the store holds so many epochs, ends what it left, and returns the epochs."""
    driver = run_until(words, root, store, rows)
    children = descendants(driver.pid)
    driver.kill()
    driver.wait()
    end(children)
    return rows_in(store)


def check_end(folder: Path, space: str) -> None:
    """Every trial has ended, no epoch is missing or there twice, and only checkpoints of finished trials are left."""
    rows = [row[3:6] for row in rows_in(folder / "study.sqlite")]
    assert len(set(rows)) == len(rows), "a row is there twice"
    state = replay(Store.open(folder / "study.sqlite", readonly=True).events())
    assert len(state.of("search")) == 6
    assert len(state.of("ablation")) == (2 if "ablations" in space else 0)
    for trial in state.trials.values():
        assert trial.status in {"finished", "stopped"}, trial.message
        assert [row["epoch"] for row in trial.rows] == list(range(1, trial.epoch + 1)), "an epoch is missing"
        assert (trial.epoch == 6) == (trial.status == "finished")
        kept = folder / "checkpoints" / f"{trial.number:04d}" / "trial.pt"
        assert kept.is_file() == (trial.status == "finished")
    assert not list((folder / "ray").rglob("trial.pt")), "checkpoints of losers stay on the disk"
    table, footer = read_parquet(folder / "epochs.parquet")
    assert table.num_rows == len(rows)
    assert set(footer["configs"]) == {str(number) for number in state.trials}


def check_resumed(words: list[str], root: Path, folder: Path, seen: list[tuple[object, ...]]) -> None:
    """Resume a search to its end: it keeps the epochs that were seen, and a replay makes the same choices."""
    again = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"groupdir select {folder} --shot few" in again.stdout
    assert rows_in(folder / "study.sqlite")[: len(seen)] == seen
    check_end(folder, SPACE)
    audited = subprocess.run(command("audit", str(folder)), cwd=root, capture_output=True, text=True, check=False)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert "6 suggestions" in audited.stdout


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_once_and_resumed_nothing_is_lost_and_nothing_twice(results: Path, root: Path) -> None:
    space, folder = results / "tiny.yaml", results / "tiny"
    space.write_text(SPACE, encoding="utf-8")
    words = command("search", str(space), "--out", str(folder))
    seen = kill_at(words, root, folder / "study.sqlite", random.randint(2, 6))
    check_resumed(command("resume", str(folder)), root, folder, seen)


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_killed_interrupted_and_resumed_nothing_is_lost_and_nothing_twice(results: Path, root: Path) -> None:
    """Killed at random moments (two; as many as GROUPDIR_KILLS says), then interrupted, then resumed to its end."""
    space, folder = results / "tiny.yaml", results / "tiny"
    store = folder / "study.sqlite"
    space.write_text(SPACE, encoding="utf-8")
    words, seen = command("search", str(space), "--out", str(folder)), []
    for _ in range(int(os.environ.get("GROUPDIR_KILLS", "2"))):
        before = seen
        seen = kill_at(words, root, store, len(before) + random.randint(1, 3))
        print(f"killed after {len(seen)} rows")
        assert seen[: len(before)] == before, "an acknowledged row is lost or changed"
        words = command("resume", str(folder))
    refused = subprocess.run(
        command("search", str(space), "--out", str(folder)), cwd=root, capture_output=True, text=True, check=False
    )
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)

    for asks in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C; `ray job stop`, and Slurm before the time is up
        driver = run_until(words, root, store, len(seen) + 1)
        driver.send_signal(asks)
        said, _ = driver.communicate(timeout=120)
        assert driver.returncode == 130, said
        assert f"interrupted; continue with:\n  groupdir resume {folder}" in said
        assert (folder / "epochs.parquet").is_file(), "Parquet is written on interrupt too"
        seen = rows_in(store)

    check_resumed(words, root, folder, seen)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_confirmation_killed_three_times_loses_and_doubles_nothing(results: Path, root: Path) -> None:
    """Three whole trials, then three further trainings, in each of which the driver is killed."""
    space, folder = results / "confirmed.yaml", results / "confirmed"
    store = folder / "study.sqlite"
    text = SPACE.replace("trials: 6", "trials: 3").replace("epochs: 6", "epochs: 4").split("  ablations:")[0]
    text = text.replace("{name: asha, grace_period: 2, reduction_factor: 2}", "{name: none}")
    space.write_text(text + "  confirm: {share: 0.75, rules: [few], stop: 0.999}\n", encoding="utf-8")
    words, seen = command("search", str(space), "--out", str(folder)), []
    for rows in (13, 16, 20):
        before = seen
        seen = kill_at(words, root, store, rows)
        assert seen[: len(before)] == before, "an acknowledged row is lost or changed"
        words = command("resume", str(folder))
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the confirmation has used its 3 trainings" in done.stdout
    state = replay(Store.open(store, readonly=True).events())
    again = state.of("confirmation")
    assert len(again) == len({(trial.configuration, trial.seed) for trial in again}) == 3
    for trial in state.trials.values():
        assert trial.status == "finished"
        assert [row["epoch"] for row in trial.rows] == [1, 2, 3, 4]
    audited = subprocess.run(command("audit", str(folder)), cwd=root, capture_output=True, text=True, check=False)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert "3 confirmations" in audited.stdout


@pytest.mark.long
@pytest.mark.timeout(600)
def test_promotion_in_a_real_search(results: Path, root: Path) -> None:
    """Trials pause at rungs 2 and 4, and go on from their checkpoints; what is left at the end is stopped."""
    space, folder = results / "promote.yaml", results / "promote"
    scheduler = "{name: pareto_asha, mode: promote, grace_period: 2, reduction_factor: 2, min_peers: 2}"
    asked = "{name: asha, grace_period: 2, reduction_factor: 2}"
    ablations = [line for line in SPACE.splitlines() if "ablation" in line]
    text = SPACE.replace(asked, scheduler)
    for line in ablations:
        text = text.replace(line + "\n", "")
    space.write_text(text, encoding="utf-8")
    run = subprocess.run(
        command("search", str(space), "--out", str(folder)), cwd=root, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    check_end(folder, text)
    events = list(Store.open(folder / "study.sqlite", readonly=True).events())
    promoted = [(event.trial, event.epoch) for event in events if event.kind == "promoted"]
    paused = [(event.trial, event.epoch) for event in events if event.payload.get("action") == "pause"]
    assert len(promoted) >= 3
    assert set(promoted) < set(paused)
    audited = subprocess.run(command("audit", str(folder)), cwd=root, capture_output=True, text=True, check=False)
    assert audited.returncode == 0, audited.stdout + audited.stderr


def test_help_and_mistakes_are_short(root: Path, tmp_path: Path) -> None:
    space = tmp_path / "wrong.yaml"
    space.write_text(SPACE.replace("epochs: 6", "epoch: 6"), encoding="utf-8")
    run = subprocess.run(command("search", str(space)), cwd=root, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "wrong.yaml:6: train.epoch" in run.stderr
    assert "Traceback" not in run.stderr
    run = subprocess.run(command("resume", str(tmp_path)), cwd=root, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr.count("\n")) == (2, 1)
