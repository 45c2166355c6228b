"""A study that another process drives, as it is shown elsewhere."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from groupdir.errors import DataError
from groupdir.study.store import Store
from launch.screen.watch import glance, standing, watch
from launch.study.driver_lock import is_driven
from launch.study.study import Study


def test_it_is_followed_to_its_end(
    study: Study,
    suggest: Callable[[Study], int],
    train: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    study.append("driver", payload={"action": "start", "pid": os.getpid()})
    train(study, suggest(study), [9.0, 8.0, 7.0, 6.0], "finished")
    seen = threading.Thread(target=watch, args=(study.folder,), daemon=True)
    seen.start()
    time.sleep(1.0)
    assert seen.is_alive(), "it must look on while the driver lives"
    study.append("driver", payload={"action": "end", "pid": os.getpid()})
    seen.join(timeout=10)
    assert not seen.is_alive()
    assert "trial 0 finished at epoch 4" in capsys.readouterr().out


def test_a_driver_that_is_gone_is_told(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    study.append("driver", payload={"action": "start", "pid": os.getpid()})
    study.close()
    (study.folder / "study.lock").write_text(str(os.getpid()))  # as one that was killed leaves it; that process lives
    assert not is_driven(study.folder)
    assert watch(study.folder) == 1
    assert "groupdir resume" in capsys.readouterr().out


def test_a_driver_on_another_machine_is_no_process_here(study: Study) -> None:
    (study.folder / "study.lock").write_text("999999999")
    assert is_driven(study.folder)


def test_a_driver_on_another_machine_is_named(study: Study, capsys: pytest.CaptureFixture[str]) -> None:
    study.append("driver", payload={"action": "start", "pid": 1, "host": "node7"})
    seen = threading.Thread(target=watch, args=(study.folder,), daemon=True)
    seen.start()
    time.sleep(0.7)
    study.append("driver", payload={"action": "end", "pid": 1})
    seen.join(timeout=10)
    assert not seen.is_alive()
    assert "the search runs on node7: watch it there" in capsys.readouterr().out


def test_a_look_at_the_lock_disturbs_no_driver_that_opens(study: Study) -> None:
    study.close()
    with (study.folder / "study.lock").open() as looks:
        fcntl.flock(looks, fcntl.LOCK_SH)
        threading.Timer(0.03, looks.close).start()
        Study.open(study.folder).close()


@pytest.mark.parametrize(
    ("begins", "name", "said"),
    [
        (sqlite3.SQLITE_PROTOCOL, "locking protocol", "on the machine of its driver"),
        (sqlite3.SQLITE_IOERR | 22 << 8, "disk I/O error", "on the machine of its driver"),
        (sqlite3.SQLITE_CORRUPT, "database disk image is malformed", "is not a study, or is broken"),
    ],
)
def test_a_log_of_another_machine_is_told_from_a_broken_one(
    study: Study, monkeypatch: pytest.MonkeyPatch, begins: int, name: str, said: str
) -> None:
    error = sqlite3.OperationalError(name)
    error.sqlite_errorcode = begins

    class Broken:
        def execute(self, *query: object) -> None:
            raise error

        def close(self) -> None: ...

    monkeypatch.setattr("groupdir.study.store.connect", lambda *where: Broken())
    with pytest.raises(DataError, match=said):
        watch(study.folder)
    with pytest.raises(DataError, match=said):
        list(Store(study.folder / "study.sqlite", Broken(), {}, sealed=False).events())  # type: ignore[arg-type]


def test_a_glance(study: Study, suggest: Callable[[Study], int], capsys: pytest.CaptureFixture[str]) -> None:
    suggest(study)
    assert glance([study.folder]) == 0
    assert "small: 12 trials: 12 waiting; 4 ablations: 4 waiting; 0:00:0" in capsys.readouterr().out


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist: name the folder of a study"):
        watch(tmp_path)


def test_where_a_study_stands_for_a_program(
    study: Study, suggest: Callable[[Study], int], train: Callable[..., None]
) -> None:
    assert set(standing(study.folder)["best"].values()) == {None}
    study.append("driver", payload={"action": "start", "pid": os.getpid()})
    train(study, suggest(study), [9.0, 8.0, 7.0, 6.0], "finished")
    content = standing(study.folder)
    assert (content["study"], content["finished"], content["running"], content["active"]) == ("small", 1, 0, True)
    assert {best["trial"] for best in content["best"].values()} == {0}
