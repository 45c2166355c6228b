"""A search whose storage is S3: killed, resumed, and brought back where even its folder is gone."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from groupdir.config.space import load_space
from groupdir.errors import ConfigError, DataError
from groupdir.files.parquet import read_parquet
from groupdir.files.storage import Place
from groupdir.files.study_files import CHECKPOINT, CHECKPOINTS, trial_folder
from groupdir.study.events import Event
from groupdir.study.state import StudyState, replay
from groupdir.study.store import Store
from launch.search import refuse_taken
from launch.study.restore import bring_back
from tests.launch.test_search import SPACE, command, descendants, end, kill_at, rows_in, run_until
from tests.s3 import S3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def space_on(server: S3, folder: Path, **search: str) -> Path:
    """The small search, its storage in a bucket of its own prefix."""
    path = folder / "tiny.yaml"
    more = {"storage_path": server.uri(folder.parent.name), "snapshot_minutes": "0.01", **search}
    lines = "".join(f"  {name}: {value}\n" for name, value in more.items())
    path.write_text(SPACE + lines, encoding="utf-8")
    return path


def events_of(folder: Path) -> list[Event]:
    with contextlib.closing(Store.open(folder / "study.sqlite", readonly=True)) as store:
        return list(store.events())


def resumed_from_checkpoints(folder: Path) -> Mapping[int, tuple[int, int]]:
    """Of the trials that the last driver took over: the epoch of the checkpoint, and the first one it then wrote."""
    events = events_of(folder)
    begin = max(event.seq for event in events if event.kind == "driver" and event.payload["action"] == "resume")
    before = replay(event for event in events if event.seq < begin)
    found = {}
    for number, trial in before.trials.items():
        later = [
            event.epoch for event in events if event.kind == "epoch" and event.trial == number and event.seq > begin
        ]
        if trial.status == "running" and trial.checkpoint_epoch and later:
            found[number] = (trial.checkpoint_epoch, min(epoch for epoch in later if epoch is not None))
    return found


def check_whole(folder: Path) -> StudyState:
    """Every trial has ended, and no epoch is missing or there twice."""
    rows = [row[3:6] for row in rows_in(folder / "study.sqlite")]
    assert len(set(rows)) == len(rows), "a row is there twice"
    state = replay(events_of(folder))
    assert len(state.of("search")) == 6
    assert len(state.of("ablation")) == 2
    for trial in state.trials.values():
        assert trial.status in {"finished", "stopped"}, trial.message
        assert [row["epoch"] for row in trial.rows] == list(range(1, trial.epoch + 1)), "an epoch is missing"
    table, _ = read_parquet(folder / "epochs.parquet")
    assert table.num_rows == len(rows)
    return state


def check_bucket(place: Place, state: StudyState) -> None:
    """Kept are the checkpoints of finished trials alone, and the snapshots are of the end."""
    finished = {f"{trial.number:04d}" for trial in state.trials.values() if trial.status == "finished"}
    assert set((place / "checkpoints").sizes()) == finished
    for trial in state.trials.values():
        assert trial.checkpoint == (f"checkpoints/{trial.number:04d}" if trial.status == "finished" else None)
    runs = [place / name for name in place.names() if name.startswith("run-")]
    assert runs
    left = [f"{run}/{name}/{inner}" for run in runs for name in run.names() for inner in (run / name).sizes()]
    assert not [path for path in left if "checkpoint_" in path], "checkpoints of losers stay"
    assert {"study.sqlite", "epochs.parquet", "trials.parquet"} <= set(place.names())


@pytest.mark.long
def test_killed_and_resumed_nothing_is_lost_and_trials_go_on_from_s3(
    server: S3, results: Path, root: Path, tmp_path: Path
) -> None:
    space, folder = space_on(server, results), results / "tiny"
    store = folder / "study.sqlite"
    words, seen = command("search", str(space), "--out", str(folder)), []
    for rows in (5, 4):
        before = seen
        seen = kill_at(words, root, store, len(before) + rows)
        assert seen[: len(before)] == before, "an acknowledged row is lost or changed"
        words = command("resume", str(folder))
    again = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert rows_in(store)[: len(seen)] == seen
    place = Place.at(server.uri(results.parent.name)) / "tiny"
    state = check_whole(folder)
    check_bucket(place, state)
    assert not (folder / "ray").exists(), "nothing of Ray's is in the study's folder"
    assert not (folder / "checkpoints").exists()
    resumed = resumed_from_checkpoints(folder)
    assert resumed, "no trial that was running had a checkpoint: the test shows nothing"
    for saved, first in resumed.values():
        assert first > saved, "an epoch before its checkpoint was trained again"
    audited = subprocess.run(command("audit", str(folder)), cwd=root, capture_output=True, text=True, check=False)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    best = next(trial.number for trial in state.trials.values() if trial.status == "finished")
    assert len((place / CHECKPOINTS / trial_folder(best) / CHECKPOINT).read()) > 1000
    with pytest.raises(ConfigError, match=r"search.storage_path: s3://.* belongs to another study already"):
        refuse_taken(load_space(space))


def test_a_storage_that_cannot_be_written_is_refused_before_the_study(server: S3, results: Path, root: Path) -> None:
    space = space_on(server, results, storage_path="s3://no-such-bucket/x")
    run = subprocess.run(
        command("search", str(space), "--out", str(results / "tiny")),
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "search.storage_path: must be a writable storage, got s3://no-such-bucket/x" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (results / "tiny").exists()


@pytest.mark.long
def test_a_folder_that_is_gone_is_brought_back_from_s3(server: S3, results: Path, root: Path) -> None:
    """The head's disk went with the head: the copy of the record and the checkpoints are all that is left."""
    space, folder = space_on(server, results), results / "tiny"
    driver = run_until(command("search", str(space), "--out", str(folder)), root, folder / "study.sqlite", 9)
    place = Place.at(server.uri(results.parent.name)) / "tiny"
    wait_for_snapshot(place)
    children = descendants(driver.pid)
    driver.kill()
    driver.wait()
    end(children)
    shutil.rmtree(folder)
    env = {**os.environ, "PYTHONPATH": str(root)}
    words = command("resume", str(place))
    run = subprocess.run(words, cwd=results.parent, env=env, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "rebuilt results/tiny from the copy in its storage" in run.stdout
    check_bucket(place, check_whole(folder))
    refused = subprocess.run(words, cwd=results.parent, env=env, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "results/tiny: exists already" in refused.stderr


def wait_for_snapshot(place: Place) -> None:
    deadline = time.monotonic() + 60
    while "study.sqlite" not in place.names():
        assert time.monotonic() < deadline, "no snapshot came"
        time.sleep(0.2)


def test_what_is_no_study_is_not_brought_back(server: S3, tmp_path: Path) -> None:
    place = Place.at(server.uri("empty")) / "study"
    with pytest.raises(DataError, match=r"must hold the study\.sqlite of a study"):
        bring_back(place, tmp_path / "study")
    (place / "study.sqlite").write(b"no database" * 1000)
    with pytest.raises(DataError, match="is not a study, or is broken"):
        bring_back(place, tmp_path / "study")
    assert list(tmp_path.iterdir()) == []
