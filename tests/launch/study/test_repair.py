"""Repair: what is intact is kept, what is damaged is set aside, and the study goes on."""

import fcntl
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from groupdir.errors import DamagedFileError, DataError
from groupdir.files.parquet import read_parquet
from groupdir.files.training_result import TrainingResult
from groupdir.study.events import OF_STUDY
from groupdir.study.read import read_study
from groupdir.training.checkpoint import save_checkpoint
from launch.__main__ import app
from launch.study.repair import repair
from launch.study.study import Study
from tests.flips import flips

Suggest = Callable[[Study], int]
Train = Callable[..., None]


@pytest.fixture
def folder(study: Study, suggest: Suggest, train: Train) -> Path:
    """A study of 12 trials, closed."""
    study.append("driver", payload={"action": "start", "pid": 1})
    for _ in range(12):
        train(study, suggest(study), [3.0, 2.0, 1.5, 1.0], "finished")
    study.append("driver", payload={"action": "end", "pid": 1})
    study.close()
    return study.folder


def say(text: str) -> None:
    """Print nothing."""


def test_an_intact_study_is_left_alone(folder: Path) -> None:
    Study.open(folder).close()
    repair(folder, say)  # writes the tables, which are missing
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = CliRunner().invoke(app, ["repair", str(folder)])
    assert result.output == f"{folder}: nothing is damaged\n"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_one_bit_costs_at_most_the_events_on_its_page(folder: Path) -> None:
    whole = list(_events(folder))
    content = (folder / "study.sqlite").read_bytes()
    reported = kept = 0
    for changed in flips(content, 40, seed=1):
        (folder / "study.sqlite").write_bytes(changed)
        for name in ("study.sqlite-wal", "study.sqlite-shm"):
            (folder / name).unlink(missing_ok=True)
        try:
            list(_events(folder))
        except DataError:
            reported += 1
            lines: list[str] = []
            repair(folder, lines.append)
            again = [event[1:] for event in _events(folder)]
            kept += len(again)
            assert set(again) <= {event[1:] for event in whole}, "nothing is invented"
            assert any("study.sqlite.damaged-" in line for line in lines)
        for path in folder.iterdir():
            if "damaged" in path.name:
                path.unlink()
        (folder / "study.head").unlink(missing_ok=True)
    assert reported > 10
    assert kept > reported * len(whole) * 0.8, f"{kept / reported:.0f} of {len(whole)} events are kept on average"


def _events(folder: Path) -> list[tuple[object, ...]]:
    from groupdir.study.store import Store

    store = Store.open(folder / "study.sqlite", readonly=True)
    try:
        return [
            (event.seq, event.time, event.kind, event.trial, event.epoch, repr(event.payload))
            for event in store.events()
        ]
    finally:
        store.close()


def test_events_of_the_whole_study_are_kept(folder: Path) -> None:
    """One event of a trial is lost. No other kind of event may go with it."""
    study = Study.open(folder)
    study.append("driver", payload={"action": "start", "pid": 2})
    study.append("warm", payload={"trials": []})
    study.append("changed", payload={"changes": {"search.trials": 14}})
    study.append("ended", payload={"cause": "equal_failures", "reason": "all have failed"})
    study.append("confirm", payload={"trainings": 2, "rules": ["all"], "stop": 0.9, "most_seeds": 8})
    study.append("driver", payload={"action": "end", "pid": 2})
    study.close()
    whole = [str(event[2]) for event in _events(folder)]
    assert set(OF_STUDY) <= set(whole)
    with sqlite3.connect(folder / "study.sqlite") as connection:
        connection.execute("UPDATE events SET payload = '{}' WHERE seq = (SELECT MIN(seq) FROM events WHERE epoch = 2)")
    repair(folder, say)
    kept = Counter(str(event[2]) for event in _events(folder))
    assert all(kept[kind] >= whole.count(kind) for kind in OF_STUDY)
    assert read_study(folder).config.search.trials == 14


def test_a_torn_end_is_dropped_and_told(folder: Path) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(folder / "study.sqlite")) as connection, connection:
        ((last,),) = connection.execute("SELECT MAX(seq) FROM events").fetchall()
        connection.execute("DELETE FROM events WHERE seq > ?", (last - 3,))
    with pytest.raises(DamagedFileError, match=rf"its events {last - 2} to {last} are lost: `groupdir repair"):
        read_study(folder)
    lines: list[str] = []
    repair(folder, lines.append)
    said = f"written again with {last - 3} intact events; 3 are lost: {last - 2}, {last - 1}, {last}"
    assert any(said in line for line in lines)
    state = read_study(folder).state
    assert [trial.status for trial in state.trials.values()].count("finished") == 11
    assert read_parquet(folder / "trials.parquet")[0].num_rows == 12


def test_damaged_files_get_another_name(folder: Path) -> None:
    repair(folder, say)
    checkpoint = folder / "checkpoints" / "0003" / "trial.pt"
    save_checkpoint(checkpoint, {"epoch": 3})
    save_checkpoint(checkpoint.parent.with_name("0004") / "trial.pt", {"epoch": 3})
    stage = folder / "stages" / "abc" / "epoch-00002.pt"
    save_checkpoint(stage, {"epoch": 2})
    for path in (checkpoint, stage, folder / "trials.parquet", folder / "study.yaml"):
        content = bytearray(path.read_bytes())
        content[len(content) // 3] ^= 4
        path.write_bytes(content)
    lines: list[str] = []
    repair(folder, lines.append)
    damaged = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.damaged-1"))
    assert damaged == [
        "checkpoints/0003/trial.pt.damaged-1", "stages/abc/epoch-00002.pt.damaged-1", "study.yaml.damaged-1",
        "trials.parquet.damaged-1",
    ]  # fmt: skip
    assert all(any(name.rpartition("/")[2] in line for line in lines) for name in damaged)
    assert read_parquet(folder / "trials.parquet")[0].num_rows == 12
    assert checkpoint.parent.with_name("0004").joinpath("trial.pt").is_file()


def test_a_study_of_an_older_version_opens_once_with_a_word(folder: Path) -> None:
    import sqlite3
    from contextlib import closing

    whole = _events(folder)
    with closing(sqlite3.connect(folder / "study.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE old (seq INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL, "
                           "trial INTEGER, seed INTEGER, epoch INTEGER, payload TEXT NOT NULL) STRICT")  # fmt: skip
        connection.execute("INSERT INTO old SELECT seq, time, kind, trial, seed, epoch, payload FROM events")
        connection.execute("DROP TABLE events")
        connection.execute("ALTER TABLE old RENAME TO events")
        connection.execute("CREATE UNIQUE INDEX one_row_per_epoch ON events (trial, seed, epoch) WHERE kind = 'epoch'")
        connection.execute("DELETE FROM meta WHERE key NOT IN ('schema', 'study')")
    (folder / "study.head").unlink()
    assert _events(folder) == whole
    study = Study.open(folder)
    assert study.notices == [f"{folder}: an older version wrote this study without checksums; they are added now"]
    study.close()
    assert _events(folder) == whole
    study = Study.open(folder)
    assert not study.notices
    study.close()
    content = bytearray((folder / "study.sqlite").read_bytes())
    place = content.rindex(b"val_mae_all")
    content[place + 14] ^= 1
    (folder / "study.sqlite").write_bytes(content)
    with pytest.raises(DataError):
        _events(folder)


def test_only_partial_files_of_ended_processes_are_removed(folder: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom groupdir.files.write_whole import whole_file, whole_folder\n"
        "root = Path(sys.argv[1])\nwith whole_file(root / 'a.yaml'), whole_folder(root / 'checkpoints' / '0009'):\n"
        "    print('ready', flush=True)\n    sys.stdin.read()\n"
    )
    words = [sys.executable, "-c", code, str(folder)]
    (folder / "checkpoints").mkdir()
    killed, alive = (
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)
    )
    for process in (killed, alive):
        assert process.stdout is not None
        process.stdout.readline()
    assert len([*folder.rglob("*.part")]) == 4
    killed.kill()
    killed.wait()
    Study.open(folder).close()
    left = sorted(path.name for path in folder.rglob("*.part"))
    assert len(left) == 2
    assert all(f".{alive.pid}-" in name for name in left)
    alive.communicate("", timeout=20)
    assert not [*folder.rglob("*.part")]


def test_a_driver_is_locked_out_in_every_way(folder: Path, tmp_path: Path) -> None:
    study = Study.open(folder)
    (folder / "study.lock").unlink()
    link = tmp_path / "link"
    link.symlink_to(folder)
    for path in (folder, link):
        with pytest.raises(DataError, match=r"another driver \(process"):
            Study.open(path)
        with pytest.raises(DataError, match=r"another driver \(process"):
            repair(path, say)
    moved = folder.rename(folder.with_name("moved"))
    with pytest.raises(DataError, match=r"another driver \(process"):
        Study.open(moved)
    with pytest.raises(DataError, match="was moved, renamed or removed while its search ran"):
        study.append("stopped", trial=0)
    study.close()
    Study.open(moved).close()


def test_two_writers_of_one_log_are_noticed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network file system without locks."""
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    first, second = Study.open(folder), Study.open(folder)
    first.append("driver", payload={"action": "start", "pid": os.getpid()})
    with pytest.raises(DataError, match="another driver has written to this study"):
        second.append("driver", payload={"action": "start", "pid": os.getpid()})
    second.close()
    first.append("driver", payload={"action": "end", "pid": os.getpid()})
    first.close()
    assert len(_events(folder)) == _events(folder)[-1][0]


def test_damaged_files_of_measured_trainings_get_another_name(folder: Path, tmp_path: Path) -> None:
    repair(folder, say)
    for training in (folder / "best_few" / "vanilla" / "seed_0", tmp_path / "alone" / "vanilla" / "seed_1"):
        training.mkdir(parents=True)
        save_checkpoint(training / "checkpoint.pt", {"epoch": 3})
        TrainingResult("abc", 3, {"test_mae_all": 1.5}).write(training / "result.json")
        inside = training.parent.parent if "alone" in training.parts else folder
        lines: list[str] = []
        assert repair(inside, lines.append) == 0
        for path in (training / "checkpoint.pt", training / "result.json"):
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 4
            path.write_bytes(content)
        repair(inside, lines.append)
        assert sorted(path.name for path in training.iterdir()) == ["checkpoint.pt.damaged-1", "result.json.damaged-1"]
        assert all(any(path.name in line for line in lines) for path in training.iterdir())


def test_a_folder_of_studies_is_repaired_study_by_study(folder: Path) -> None:
    (folder / "trials.parquet").write_bytes(b"cut")
    lines: list[str] = []
    repair(folder.parent, lines.append)
    assert f"{folder / 'trials.parquet'}: is damaged; it is kept as trials.parquet.damaged-1" in lines
    assert read_parquet(folder / "trials.parquet")[0].num_rows == 12


def test_a_changed_configuration_is_set_aside_and_written_again(folder: Path) -> None:
    repair(folder, say)
    config = folder / "study.yaml"
    written = config.read_text(encoding="utf-8")
    config.write_text(written.replace("trials:", "trails:"), encoding="utf-8")
    lines: list[str] = []
    repair(folder, lines.append)
    assert any("edited or is damaged; it is kept as study.yaml.damaged-1" in line for line in lines)
    assert config.read_text(encoding="utf-8") == written
