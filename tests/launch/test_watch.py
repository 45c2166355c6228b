"""A study that another process drives, as it is shown elsewhere."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from groupdir.errors import DataError
from launch.study import Study
from launch.watch import driven, glance, watch


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
    study.append("driver", payload={"action": "start", "pid": 1})
    (study.folder / "study.lock").write_text("999999999")
    assert not driven(study.folder)
    assert watch(study.folder) == 1
    assert "python -m launch resume" in capsys.readouterr().out


def test_a_glance(study: Study, suggest: Callable[[Study], int], capsys: pytest.CaptureFixture[str]) -> None:
    suggest(study)
    assert glance([study.folder]) == 0
    assert "small: 0 finished, 0 stopped, 0 failed, 0 running of 16 trials" in capsys.readouterr().out


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="must be the file of a study"):
        watch(tmp_path)
