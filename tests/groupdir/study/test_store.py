"""The store: the first write wins, and what was acknowledged is there after a SIGKILL."""

import math
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from groupdir.errors import DataError
from groupdir.study.state import replay
from groupdir.study.store import Store
from tests.epoch_report import report

WRITER = """
import sys
from groupdir.study.store import Store

store = Store.open(sys.argv[1])
for epoch in range(1, 100_000):
    store.append("epoch", trial=0, seed=0, epoch=epoch, payload={"value": epoch * 0.5})
    print(epoch, flush=True)
"""


def epoch_payload(value: float, last: bool = False) -> dict[str, object]:
    return {**report(1), "last": last, "metrics": {"val_mae_all": value}}


def test_the_first_write_of_an_epoch_wins(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "study.sqlite", {"name": "a"})
    assert store.append("epoch", trial=1, seed=0, epoch=1, payload=epoch_payload(3.0))
    assert store.append("epoch", trial=1, seed=0, epoch=1, payload=epoch_payload(4.0)) is None
    assert store.append("epoch", trial=1, seed=1, epoch=1, payload=epoch_payload(5.0))
    assert store.append("checkpoint", trial=1, epoch=1, payload={"path": "a"})
    assert store.append("checkpoint", trial=1, epoch=1, payload={"path": "b"}), "only epochs are unique"
    values = [event.payload["metrics"]["val_mae_all"] for event in store.events() if event.kind == "epoch"]
    assert values == [3.0, 5.0]


def test_a_reader_sees_what_was_written(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "study.sqlite", {"name": "a", "search": {"trials": 3}})
    written = [
        store.append("driver", payload={"action": "start", "pid": 1}),
        store.append("epoch", trial=0, seed=7, epoch=2, payload=epoch_payload(math.nan)),
    ]
    reader = Store.open(tmp_path / "study.sqlite", readonly=True)
    assert list(reader.events()) == written
    assert list(reader.events(after=1)) == written[1:]
    assert written[1] is not None
    assert written[1].payload["metrics"] == {"val_mae_all": None}
    assert reader.study == {"name": "a", "search": {"trials": 3}}
    with pytest.raises(ValueError, match="not open for writing"):
        reader.append("stopped", trial=0)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    Store.create(tmp_path / "study.sqlite", {}).close()
    with pytest.raises(DataError, match="exists already: a study is never overwritten"):
        Store.create(tmp_path / "study.sqlite", {})


def test_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.sqlite"
    Store.create(path, {}).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    with pytest.raises(DataError, match=r"written by a newer groupdir \(schema 99, this version reads 2\)"):
        Store.open(path)


@pytest.mark.parametrize("content", [None, b"no database at all, but long enough to be read as one" * 100])
def test_what_is_no_study_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "study.sqlite").write_bytes(content)
    with pytest.raises(DataError):
        Store.open(tmp_path / "study.sqlite")


def test_what_was_acknowledged_survives_a_sigkill(tmp_path: Path, root: Path) -> None:
    path = tmp_path / "study.sqlite"
    Store.create(path, {}).close()
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], cwd=root, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert writer.stdout is not None
    acknowledged = [int(writer.stdout.readline()) for _ in range(40)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in writer.stdout.read().split("\n")[:-1]]
    assert writer.wait() == -signal.SIGKILL
    store = Store.open(path)
    epochs = [event.epoch for event in store.events()]
    assert epochs[: len(acknowledged)] == acknowledged
    assert len(epochs) <= len(acknowledged) + 1, "one row may be there that nobody was told of"
    assert store.append("epoch", trial=0, seed=0, epoch=100_000), "the store can be written after a crash"


def test_an_empty_store_folds_to_nothing(tmp_path: Path) -> None:
    state = replay(Store.create(tmp_path / "study.sqlite", {}).events())
    assert not state.trials
    assert state.elapsed(5.0) == 0.0


@pytest.mark.parametrize("change", ["payload = '{'", "payload = '[]'", "kind = 'nonsense'"])
def test_an_event_that_was_changed_is_told(tmp_path: Path, change: str) -> None:
    path = tmp_path / "study.sqlite"
    store = Store.create(path, {})
    store.append("driver", payload={"action": "start"})
    store.close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE events SET {change}")
    with pytest.raises(DataError, match=r"study\.sqlite: is damaged: event 1 does not match its checksum"):
        list(Store.open(path, readonly=True).events())


def test_a_log_in_a_folder_that_is_read_only_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.create(tmp_path / "study.sqlite", {"name": "a"})
    store.append("driver", payload={"action": "start"})
    store.close()
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write everywhere
    reader = Store.open(tmp_path / "study.sqlite", readonly=True)
    assert [event.kind for event in reader.events()] == ["driver"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["study.head", "study.sqlite"]
